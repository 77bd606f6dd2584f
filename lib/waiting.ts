import { type Claim, LostClaim } from './aws/claim.ts'
import { PROBE_MS } from './aws/gates.ts'
import type { Ledger } from './aws/ledger.ts'
import type { Settings } from './config.ts'
import { EditError, Held } from './errors.ts'
import { backoffMs } from './retry.ts'

const HOUR_MS = 3_600_000
/** A tenth of a wait until tomorrow would be hours: this is enough to spread thousands. */
const LONGEST_JITTER_MS = 300_000

/** The error of a job that has waited as long as it may, or `undefined`. `reason`: what it waited for last. */
export function findLate(
  { firstSeenAt }: Claim,
  { maxWaitHours }: Settings,
  now: number,
  reason: string,
): EditError | undefined {
  const hours = (now - firstSeenAt) / HOUR_MS
  if (hours < maxWaitHours) return undefined
  const message = `the job waited ${Math.floor(hours)} h, maxWaitHours is ${maxWaitHours}; last reason: ${reason}`
  return new EditError('ERR_JOB_WAITED_TOO_LONG', message)
}

/** Puts a job that is not over back on its shelf, and says in the error when to come again. */
export async function giveBack(
  ledger: Ledger,
  claim: Claim,
  settings: Settings,
  error: unknown,
  now: number,
): Promise<unknown> {
  if (error instanceof LostClaim) return new Held(claim.id, now + PROBE_MS, 'lease')
  const latest = claim.firstSeenAt + settings.maxWaitHours * HOUR_MS
  const ownDelayMs = delayOf(error, claim)
  // Who is late already could not even be ended: AWS or the settings want mending, and that takes its time.
  const delayMs = latest > now ? Math.min(ownDelayMs, latest - now) : ownDelayMs
  const code = error instanceof EditError ? error.code : 'ERR_INTERNAL'
  try {
    await ledger.wait(claim, now + delayMs, { code })
  } catch (fault) {
    if (fault instanceof LostClaim) return new Held(claim.id, now + PROBE_MS, 'lease')
    // The lease ends by itself; the first error is the one that tells.
  }
  if (!(error instanceof EditError)) return error
  return new EditError(error.code, error.message, { cause: error, retryAfterMs: delayMs })
}

function delayOf(error: unknown, claim: Claim): number {
  if (!(error instanceof EditError)) return 0
  if (error.isSpread && error.retryAfterMs !== undefined) return error.retryAfterMs
  if (error.remedy === 'repair') return PROBE_MS
  return error.retryAfterMs === undefined
    ? backoffMs(claim.number)
    : error.retryAfterMs + Math.ceil(Math.random() * Math.min(error.retryAfterMs / 10, LONGEST_JITTER_MS))
}
