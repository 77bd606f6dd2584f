import { type Code, EditError } from './errors.ts'

/** One call to the model, counted over all invocations of the job. */
export type Attempt = {
  attempt: number
  at: string
  ms: number
  outcome: string
  model?: string
  /** `words`: a text model was asked what the picture is to show. */
  asks?: 'words'
  usd?: number
  /** The batch that it was a row of; without one it was a call of its own. */
  batch?: string
}

/** What is known of a job's calls over all its claims. */
export type Tally = {
  /** Calls begun; the replies that were kept are numbered by it. */
  calls: number
  /** Calls of which somebody saw the end. The others ended with their function. */
  ended: number
  /** Calls that ended without an answer although Google may have worked, and may bill. */
  unanswered: number
  /** The last of them; a job that waits for a week has thousands, and a row has 400 KB. */
  attempts: Attempt[]
}

/** Calls that end without an answer may be billed, and something is wrong: this many are enough. */
const UNANSWERED_LIMIT = 5

/** The outcome of a call whose reply came, and that S3 did not take. */
export const LOST = 'lost'
const UNANSWERED: readonly string[] = [
  'ERR_GEMINI_TIMEOUT',
  'ERR_GEMINI_BROKE_OFF',
  'ERR_BATCH_ROW_LOST',
  LOST,
] satisfies (Code | typeof LOST)[]

/** Whether a call that ended so may be billed although its answer never came. */
export function mayBeBilled(outcome: string): boolean {
  return UNANSWERED.includes(outcome)
}

/** Writes down how a call ended; the ledger learns it with the next write. */
export function record(tally: Tally, attempt: Attempt): void {
  tally.attempts.push(attempt)
  tally.ended += 1
  if (mayBeBilled(attempt.outcome)) tally.unanswered += 1
}

/** A call of which nothing is known was ended by Lambda: the function was killed, or ran out of time or memory. */
export function refuseEndless({ calls, ended, unanswered }: Tally): void {
  const killed = calls - ended
  if (unanswered + killed < UNANSWERED_LIMIT) return
  const message = `${unanswered + killed} calls ended without an answer that could be kept, ${killed} of them with their function`
  throw new EditError('ERR_GEMINI_NO_ANSWER', message)
}
