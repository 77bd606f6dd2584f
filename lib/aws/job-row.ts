import type { Attempt, Tally } from '../attempts.ts'
import type { InputFacts, SessionFacts } from '../result.ts'
import type { Hold } from './budgets.ts'
import type { Claim, SentFile } from './claim.ts'
import type { Change, Item, Table } from './table.ts'

/** Rows are forgotten after 90 days; from then on `result.json` decides. */
const REMEMBERED_MS = 90 * 24 * 3600 * 1000

/** The rows of jobs, which `ledger.ts` moves, and `parking.ts` in the batch lane. */
export function createJobRows(table: Table) {
  const keyOf = (id: string) => ({ pk: `job#${id}`, sk: 'job' })
  return {
    read: (id: string) => table.read(keyOf(id)),
    /** One conditional write; `undefined` when the condition does not hold. */
    update: (id: string, change: Change) => table.update(keyOf(id), 'job', REMEMBERED_MS, change),
  }
}

/** In the place of a batch's id. */
export const NO_BATCH = '-'

const ATTEMPTS_KEPT = 30

/**
 * What every write of an owner brings up to date: its calls and how they ended. Of a count whose answer was lost nobody knows
 * whether it stands, and no call followed it: the next write sets it right.
 */
export const PROGRESS = 'calls = :calls, ended = :ended, unanswered = :unanswered, attempts = :attempts'

/** The values of `PROGRESS`. */
export function toProgress({ calls, ended, unanswered, attempts }: Tally): Record<string, unknown> {
  const last = JSON.stringify(attempts.slice(-ATTEMPTS_KEPT))
  return { ':calls': calls, ':ended': ended, ':unanswered': unanswered, ':attempts': last }
}

/** What a row says to the owner that has just claimed it. */
export function toClaim(id: string, item: Item): Claim {
  return {
    id,
    number: Number(item.claim?.N),
    calls: Number(item.calls?.N ?? 0),
    ended: Number(item.ended?.N ?? 0),
    unanswered: Number(item.unanswered?.N ?? 0),
    attempts: JSON.parse(item.attempts?.S ?? '[]') as Attempt[],
    firstSeenAt: Number(item.firstSeenAt?.N),
    waitReason: item.waitReason?.S,
    job: item.job?.S,
    inputs: item.inputs?.S ? (JSON.parse(item.inputs.S) as InputFacts[]) : undefined,
    slot: (JSON.parse(item.slot?.S ?? 'null') as Claim['slot'] | null) ?? undefined,
    hold: (JSON.parse(item.moneyHeld?.S ?? 'null') as Hold | null) ?? undefined,
    session: (JSON.parse(item.turn?.S ?? 'null') as SessionFacts | null) ?? undefined,
    files: JSON.parse(item.files?.S ?? '[]') as SentFile[],
    batches: Number(item.batches?.N ?? 0),
    lane: item.nowLane?.N === '1' ? 'now' : undefined,
  }
}
