import { UsageError } from './command.ts'

/**
 * Runs a script's main and ends with its exit code, or with the help where that is asked for. A command line that isn't
 * understood is 2; what goes wrong with the machine is a sentence, not a stack.
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
    const { code, syscall, message } = error as NodeJS.ErrnoException
    const isUsage = error instanceof UsageError
    if (!isUsage && syscall === undefined && code === undefined) throw error
    console.error(isUsage ? `${message}\n\n${help}` : `darkroom: ${message}`)
    process.exitCode = isUsage ? 2 : 1
  }
}
