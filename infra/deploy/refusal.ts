/** What an operator asked for can't be done, or not without saying so; the message says why and what to do. */
export class Refusal extends Error {
  override readonly name = 'Refused'
}

/** Runs a command. What is the operator's or AWS's to mend is a sentence and exit code 1; a bug of ours has its stack. */
export async function runCommand(main: () => Promise<void>): Promise<void> {
  try {
    await main()
  } catch (error) {
    const { name, message, code, $metadata } = error as Error & { code?: string; $metadata?: object }
    if (!(error instanceof Refusal) && !code && !$metadata) throw error
    console.error(error instanceof Refusal ? message : `${name}: ${message}`)
    process.exitCode = 1
  }
}
