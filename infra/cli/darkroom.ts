#!/usr/bin/env node
/** The `darkroom` command: what an operator does by hand, on AWS or on the local stack. */
import { BATCH } from './batch.ts'
import { type Command, describeError, UsageError } from './command.ts'
import { DEAD } from './dead.ts'
import { DOCTOR } from './doctor.ts'
import { WEBHOOK } from './webhook.ts'

const COMMANDS: Readonly<Record<string, Command>> = { batch: BATCH, dead: DEAD, doctor: DOCTOR, webhook: WEBHOOK }

const HELP = `darkroom <command> [--help]

${Object.entries(COMMANDS)
  .map(([name, { about }]) => `  ${name.padEnd(10)}${about}`)
  .join('\n')}

Works on AWS with the usual credentials and AWS_REGION, and on the stack of npm run dev after source .darkroom/env.
Exit codes: 0 done, 1 it failed or something was not found, 2 the command was not understood.`

process.exitCode = await main(process.argv.slice(2))

async function main([name, ...args]: string[]): Promise<number> {
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!command) {
    const isAsked = name === '--help' || name === 'help'
    if (isAsked) console.log(HELP)
    else console.error(name === undefined ? HELP : `there is no command ${JSON.stringify(name)}\n\n${HELP}`)
    return isAsked ? 0 : 2
  }
  if (args.includes('--help')) {
    console.log(command.help)
    return 0
  }
  try {
    return await command.run(args)
  } catch (error) {
    if (error instanceof UsageError) console.error(`${error.message}\n\n${command.help}`)
    else console.error(describeError(error))
    return error instanceof UsageError ? 2 : 1
  }
}
