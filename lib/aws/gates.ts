import { type Code, EditError } from '../errors.ts'
import { lookAgainMs } from '../retry.ts'
import type { Row, Rows } from './rows.ts'

/** How often one job looks whether a closed gate may open, over all functions. */
export const PROBE_MS = 60_000
/** A process trusts what it read of a gate for this long: a burst of jobs costs one read. */
const KNOWN_MS = 3000
const REMEMBERED_MS = 90 * 24 * 3600 * 1000

/** Why a gate is closed, and when somebody may look again. */
type Closing = { code: Code; reason: string; nextLookAt: number; since: number }

/** A fault that closes a gate; `begunAt` is when the call that met it was begun. */
type Fault = { code: Code; reason: string; begunAt: number; nextLookAt: number }

export type Gates = ReturnType<typeof createGates>

/**
 * Gates that all functions share: what one of them found shut, no other pays or waits to find out.
 *
 *          a fault closes it                  the time has come: one job takes the turn, and the next is a minute later
 *   open ────────────────────▶ closed ◀──────────────────────────────────────────────┐
 *    ▲  (unless its call was   until the next look ──▶ that job goes through ─────────┘ fails, dies or says nothing
 *    │   begun before it opened)                          │
 *    └────────────────────────────────────────────────────┘ succeeds
 *
 * Whoever closed it, or looked in vain, comes back exactly for the next look; all others later, spread out.
 */
export function createGates(rows: Rows, now: () => number) {
  const known = new Map<string, { readAt: number; closing: Promise<Closing | undefined> }>()

  function look(gate: string): Promise<Closing | undefined> {
    const earlier = known.get(gate)
    if (earlier && now() - earlier.readAt < KNOWN_MS) return earlier.closing
    const closing = readGate(rows, gate)
    known.set(gate, { readAt: now(), closing })
    closing.catch(() => known.delete(gate))
    return closing
  }

  /** The turn to look through a closed gate is one job's a minute. */
  async function takeTurn(gate: string, { nextLookAt }: Closing): Promise<boolean> {
    known.delete(gate)
    const taken = await rows.update(`gate#${gate}`, 'gate', {
      expression: 'SET nextLookAt = :next, updatedAt = :updatedAt',
      condition: '#status = :closed AND nextLookAt = :seen',
      names: { '#status': 'status' },
      values: {
        ':closed': 'closed',
        ':seen': nextLookAt,
        ':next': now() + PROBE_MS,
        ':updatedAt': new Date(now()).toISOString(),
      },
    })
    return taken !== undefined
  }

  return {
    /**
     * Lets a job through when all gates are open, or when it is the one that looks whether they are: then returns the gates that it
     * probes. Throws the fault that closed a gate, with the job's own time to come again. `firstSeenAt` is the job's.
     */
    async enter(gates: readonly string[], firstSeenAt: number): Promise<string[]> {
      const closed: [string, Closing][] = []
      for (const gate of gates) {
        const closing = await look(gate)
        if (!closing) continue
        // Before any turn is taken: a job that another gate holds back would waste it.
        if (closing.nextLookAt > now()) throw toWait(gate, closing, now(), firstSeenAt)
        closed.push([gate, closing])
      }
      for (const [gate, closing] of closed) {
        if (await takeTurn(gate, closing)) continue
        throw toWait(gate, { ...closing, nextLookAt: now() + PROBE_MS }, now(), firstSeenAt)
      }
      return closed.map(([gate]) => gate)
    },

    /** Closes a gate; `isNew` when it was open. `nextLookAt` is when the caller has to come again to look. */
    async close(gate: string, fault: Fault): Promise<{ isNew: boolean; nextLookAt: number }> {
      known.delete(gate)
      const closed = await rows.update(`gate#${gate}`, 'gate', {
        expression:
          'SET #kind = :kind, #status = :closed, #code = :code, reason = :reason, closedAt = :now, nextLookAt = :next, updatedAt = :updatedAt, expiresAt = :expiresAt',
        condition: 'attribute_not_exists(pk) OR (#status = :open AND openedAt <= :begunAt)',
        names: { '#kind': 'kind', '#status': 'status', '#code': 'code' },
        values: {
          ':kind': 'gate',
          ':closed': 'closed',
          ':open': 'open',
          ':code': fault.code,
          ':reason': fault.reason,
          ':now': now(),
          ':next': fault.nextLookAt,
          ':begunAt': fault.begunAt,
          ':updatedAt': new Date(now()).toISOString(),
          ':expiresAt': Math.floor((now() + REMEMBERED_MS) / 1000),
        },
      })
      if (closed) return { isNew: true, nextLookAt: fault.nextLookAt }
      const closing = await readGate(rows, gate)
      return { isNew: false, nextLookAt: closing?.nextLookAt ?? now() }
    },

    /** Opens a gate after a look that succeeded; says whether it was closed. */
    async open(gate: string): Promise<boolean> {
      known.delete(gate)
      const opened = await rows.update(`gate#${gate}`, 'gate', {
        expression: 'SET #status = :open, openedAt = :now, updatedAt = :updatedAt',
        condition: '#status = :closed',
        names: { '#status': 'status' },
        values: { ':open': 'open', ':closed': 'closed', ':now': now(), ':updatedAt': new Date(now()).toISOString() },
      })
      return opened !== undefined
    },
  }
}

async function readGate(rows: Rows, gate: string): Promise<Closing | undefined> {
  const row = await rows.read(`gate#${gate}`, 'gate')
  return row?.status === 'closed' ? toClosing(row) : undefined
}

function toClosing({ code, reason, nextLookAt, closedAt }: Row): Closing {
  return { code: code as Code, reason: String(reason), nextLookAt: Number(nextLookAt), since: Number(closedAt) }
}

function toWait(gate: string, { code, reason, nextLookAt, since }: Closing, now: number, firstSeenAt: number) {
  const retryAfterMs = Math.max(0, nextLookAt - now) + lookAgainMs(now - firstSeenAt)
  const message = `nobody calls while gate ${gate} is closed, since ${new Date(since).toISOString()}: ${reason}`
  return new EditError(code, message, { retryAfterMs, isSpread: true })
}
