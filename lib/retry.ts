import { setTimeout as sleepFor } from 'node:timers/promises'
import { EditError } from './errors.ts'

export type RetryOptions = {
  /** Calls in all. @default 5 */
  tries?: number
  /** The first backoff's upper end; each later one is twice as high. @default 1000 */
  baseMs?: number
  /** No wait within the function is longer: then the job is sent again instead. @default 30_000 */
  longestWaitMs?: number
  /** Milliseconds that are left for waiting, counted anew before each wait. @default no limit */
  timeLeftMs?: () => number
  sleep?: (ms: number) => Promise<unknown>
  random?: () => number
  onWait?: (error: EditError, delayMs: number) => void
}

/**
 * Calls `attempt` until it succeeds. Only a `wait` is tried again, after the time that the server asked for (and up to a
 * tenth more, so that a thousand callers don't return as one) or else with full jitter. Where the wait does not fit
 * into the function's time, the error is thrown as it is. A bug, a `change` and a `repair` are thrown at once.
 */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { tries = 5, longestWaitMs = 30_000, timeLeftMs = () => Number.POSITIVE_INFINITY, sleep = sleepFor } = options
  for (let tried = 1; ; tried += 1) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof EditError) || error.remedy !== 'wait') throw error
      const delayMs = delayBefore(tried, error, options)
      if (tried >= tries || delayMs > longestWaitMs || delayMs > timeLeftMs()) throw error
      options.onWait?.(error, delayMs)
      await sleep(delayMs)
    }
  }
}

function delayBefore(
  tried: number,
  error: EditError,
  { baseMs = 1000, longestWaitMs = 30_000, random = Math.random }: RetryOptions,
): number {
  if (error.retryAfterMs !== undefined) return Math.ceil(error.retryAfterMs * (1 + random() / 10))
  return Math.round(random() * Math.min(longestWaitMs, baseMs * 2 ** (tried - 1)))
}

/** SQS delays no message longer, and a fault that lasts this long is an outage: asking more often mends nothing. */
const LONGEST_BACKOFF_MS = 900_000
const FIRST_BACKOFF_MS = 10_000

/** How long a job waits before its next function when nobody says: half of it fixed, half of it jitter, doubling up to 15 minutes. */
export function backoffMs(tried: number, random = Math.random): number {
  const upTo = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(tried - 1, 20))
  return Math.round(upTo * (0.5 + random() / 2))
}

const SHORTEST_LOOK_MS = 60_000
const LONGEST_LOOK_MS = 900_000

/**
 * Up to when a job that waits for a person, or for tomorrow, looks again: about as long as it is old, between one minute and
 * fifteen. What is mended soon is noticed soon, and ten thousand jobs that wait for a day cost no more than SQS's own
 * chain of delays, which is fifteen minutes a link.
 */
export function lookAgainMs(ageMs: number, random = Math.random): number {
  return Math.round(Math.min(LONGEST_LOOK_MS, Math.max(SHORTEST_LOOK_MS, ageMs)) * (0.5 + random() / 2))
}
