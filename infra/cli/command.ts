import { type ParseArgsConfig, parseArgs } from 'node:util'

/** A subcommand of `darkroom`. Resolves to its exit code. */
export type Command = { about: string; help: string; run: (args: string[]) => Promise<number> }

/** The command line asks for what no command does; the message says what, and the help follows it. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The arguments by these options, those of the process where none are given; refuses what is not among them. */
export function readArguments<Options extends ParseArgsConfig>(
  options: Options,
): ReturnType<typeof parseArgs<Options>> {
  try {
    return parseArgs(options)
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/** The variables of the environment that a command can't do without; all that are missing are named at once. */
export function readVariables<Name extends string>(names: readonly Name[]): Record<Name, string> {
  const missing = names.filter(name => !process.env[name])
  if (missing.length > 0) throw new UsageError(`${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} not set`)
  return Object.fromEntries(names.map(name => [name, process.env[name]])) as Record<Name, string>
}

/** An error as an operator reads it, with what it was caused by. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = `${error.name}: ${error.message}`
  return error.cause === undefined ? own : `${own}\n  because of ${describeError(error.cause)}`
}
