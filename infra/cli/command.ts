/** A subcommand of `darkroom`. Resolves to its exit code. */
export type Command = { about: string; help: string; run: (args: string[]) => Promise<number> }

/** The command line asks for what no command does; the message says what, and the help follows it. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
