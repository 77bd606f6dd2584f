import { Refusal } from '../deploy/refusal.ts'
import { UsageError } from './command.ts'

/**
 * Runs a script's main and ends with its exit code, or with the help where that is asked for. A command line that isn't
 * understood is 2; what the operator, the machine or AWS must mend is a sentence and 1; a bug of ours has its stack.
 */
export async function run(help: string, main: () => Promise<number>): Promise<void> {
  // Somebody who reads the first line and goes is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.kill(process.pid, 'SIGTERM')
  })
  if (process.argv.includes('--help')) return console.log(help)
  try {
    process.exitCode = await main()
  } catch (error) {
    const { code, $metadata, message } = error as NodeJS.ErrnoException & { $metadata?: object }
    const isUsage = error instanceof UsageError
    if (!isUsage && !(error instanceof Refusal) && !code && !$metadata) throw error
    console.error(isUsage ? `${message}\n\n${help}` : message)
    process.exitCode = isUsage ? 2 : 1
  }
}
