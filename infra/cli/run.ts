/** Runs a command's main and ends with its exit code. What goes wrong with the machine is a sentence, not a stack. */
export async function run(main: () => Promise<number>): Promise<void> {
  // Somebody who reads the first line and goes is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.kill(process.pid, 'SIGTERM')
  })
  try {
    process.exitCode = await main()
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException
    if (syscall === undefined && code === undefined) throw error
    console.error(`darkroom: ${message}`)
    process.exitCode = 1
  }
}
