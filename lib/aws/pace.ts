import type { Rows } from './rows.ts'

/**
 * Calls arrive less evenly than they are sent, and Google counts arrivals: at the limit itself every second call would be
 * one too many now and then. A twentieth less leaves three seconds of a minute for that.
 */
const HEADROOM = 0.95
const REMEMBERED_MS = 7 * 24 * 3600 * 1000
const TRIES = 20

export type Pace = ReturnType<typeof createPace>

/**
 * Slots in which models may be called, shared by all functions: each is given away once, a fixed time after the one before.
 * The row holds the next free one, and DynamoDB has no max(), so a slot is taken by the write whose condition holds:
 *
 *   next slot ≥ now ──▶ take it,   next += interval        a queue of slots stands
 *   next slot < now ──▶ take now,  next = now + interval   nobody called lately: slots that passed are gone
 */
export function createPace(rows: Rows, now: () => number) {
  return {
    /** The slot that is now this caller's, in epoch milliseconds; whoever does not use it loses only its own time. */
    async takeSlot(model: string, requestsPerMinute: number): Promise<number> {
      const intervalMs = Math.ceil(60_000 / (requestsPerMinute * HEADROOM))
      for (let tried = 0; tried < TRIES; tried += 1) {
        const at = now()
        const slot = (await queueUp(rows, model, at, intervalMs)) ?? (await startQueue(rows, model, at, intervalMs))
        if (slot !== undefined) return slot
      }
      // Only a clock that jumps loses both ways again and again; a minute later it stands still.
      return now() + 60_000
    },
  }
}

const common = (at: number) => ({
  ':kind': 'pace',
  ':now': at,
  ':expiresAt': Math.floor((at + REMEMBERED_MS) / 1000),
})

const NAMES = { '#kind': 'kind' }

async function queueUp(rows: Rows, model: string, at: number, intervalMs: number): Promise<number | undefined> {
  const row = await rows.update(`pace#${model}`, 'pace', {
    expression: 'SET #kind = :kind, expiresAt = :expiresAt, nextSlotAt = nextSlotAt + :interval',
    condition: 'nextSlotAt >= :now',
    names: NAMES,
    values: { ...common(at), ':interval': intervalMs },
  })
  return row && Number(row.nextSlotAt) - intervalMs
}

async function startQueue(rows: Rows, model: string, at: number, intervalMs: number): Promise<number | undefined> {
  const row = await rows.update(`pace#${model}`, 'pace', {
    expression: 'SET #kind = :kind, expiresAt = :expiresAt, nextSlotAt = :next',
    condition: 'attribute_not_exists(nextSlotAt) OR nextSlotAt < :now',
    names: NAMES,
    values: { ...common(at), ':next': at + intervalMs },
  })
  return row && at
}
