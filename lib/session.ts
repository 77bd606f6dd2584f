import type { Claim } from './aws/claim.ts'
import type { JobMessage, Ledger } from './aws/ledger.ts'
import type { LastTurn, Line, Place, Sessions } from './aws/sessions.ts'
import { EditError } from './errors.ts'
import type { Log } from './log.ts'
import { isOver, type SessionFacts } from './result.ts'

/** What it takes to stand in a session's line. */
export type Lines = {
  sessions: Sessions
  ledger: Ledger
  /** Sends a job's message again, at once. */
  sendAgain: (id: string, message: JobMessage & { firstSeenAt: number }) => Promise<void>
  now: () => number
  log: Pick<Log, 'warn'>
}

/** A turn that may work now: all before it are over. */
export type Turn = { facts: SessionFacts; last: LastTurn | undefined }

const MINUTE_MS = 60_000
/** SQS delays no message longer. */
const LONGEST_WAIT_MS = 15 * MINUTE_MS
/** No backlog of a queue is this long; a job that has not come by then lies in the dead-letter queue. */
const OVERDUE_MS = 6 * 60 * MINUTE_MS

/**
 * The turn of a claimed job, with a number that it keeps however often it is delivered. Throws `ERR_SESSION_BUSY` while an earlier
 * one is not over: the one that ends wakes the next, and should it die before, the first in line looks each minute and those behind
 * it less often.
 *
 *                  check in              all before it are over
 *   job claimed ─────────────▶ in line ─────────────────────────▶ its turn ──▶ result, ledger ──▶ out of the line ──▶ wakes the next
 *                     ▲           │                                  │ waits (a 429, a repair) or dies: stays the first
 *                     └───────────┘ waits: woken, or after a minute  └───────────────────────────────────────────────┐
 *                     ▲                                                                                                │
 *                     └────────────────────────────────────────────────────────────────────────────────────────────────┘
 */
export async function takeTurn(
  lines: Lines,
  claim: Claim,
  session: string,
  message: JobMessage | undefined,
): Promise<Turn> {
  for (;;) {
    const { places, last } = await lines.sessions.checkIn(session, claim.id)
    const behind = places.findIndex(place => place.job === claim.id)
    const [first, own] = [places[0], places[behind]] as [Place, Place]
    if (behind === 0) return { facts: { name: session, turn: own.turn, continuesFrom: last?.job }, last }
    if (await leadOut(lines, session, first)) continue
    if (message) await lines.ledger.keepMessage(claim, message)
    throw new EditError(
      'ERR_SESSION_BUSY',
      `turn ${own.turn} of session ${session} waits for turn ${first.turn}, job ${first.job}`,
      { retryAfterMs: Math.min(LONGEST_WAIT_MS, behind * MINUTE_MS) },
    )
  }
}

/** Takes the first out of the line if it is over and could not say so, or will not come any more. */
async function leadOut({ sessions, ledger, log, now }: Lines, session: string, first: Place): Promise<boolean> {
  const row = await ledger.show(first.job)
  if (row && isOver(row.status)) {
    await sessions.leave(session, first.job, row.status === 'done' ? String(row.resultUri) : undefined)
    return true
  }
  const expectedAt = Math.max(first.seenAt, Number(row?.waitUntil ?? 0), Number(row?.leaseUntil ?? 0))
  if (row && now() < expectedAt + OVERDUE_MS) return false
  await sessions.drop(session, first)
  log.warn('turn dropped', { session, job: first.job, turn: first.turn, seenAt: new Date(first.seenAt).toISOString() })
  return true
}

/** After a job is over: takes it out of its line and wakes the next. The job is over whether this succeeds or not. */
export async function leaveLine(
  lines: Lines,
  session: string,
  job: string,
  resultUri: string | undefined,
): Promise<void> {
  try {
    const line = await lines.sessions.leave(session, job, resultUri)
    if (line) await wakeFirst(lines, line)
  } catch (error) {
    // The next one comes by itself within a minute, and leads this one out.
    lines.log.warn('next turn not woken', { session, job, error })
  }
}

async function wakeFirst({ ledger, sendAgain }: Lines, { places }: Line): Promise<void> {
  const [next] = places
  const message = next && (await ledger.wake(next.job, 'ERR_SESSION_BUSY'))
  if (next && message) await sendAgain(next.job, message)
}

/** What the result says of a turn that does not go on with all that was said. */
export function toFreshWarning({ name, fresh }: SessionFacts): string {
  return `session ${name} starts afresh from its last picture: ${fresh}`
}
