import { pacificDay } from '../pacific-day.ts'
import type { Row, Rows } from './rows.ts'

/** A day's budget, in millionths of a dollar: whole numbers add up exactly. */
export type Budget = { name: string; limitMicroUsd: number }

/** Money set aside for one call, in every budget that the call spends. Kept in the job's row, so that its next claim can settle it. */
export type Hold = { key: string; day: string; budgets: string[]; microUsd: number; until: number }

/** A budget of which four fifths are spent or set aside: told once a day and limit. */
export type Near = { budget: string; day: string; limitUsd: number; committedUsd: number }

/** The budget that has no room, as it stands. */
type Spent = { name: string; limitMicroUsd: number; committedMicroUsd: number; isNew: boolean }

const REMEMBERED_MS = 90 * 24 * 3600 * 1000
/** Each try that finds no room although there was some means that somebody else got on. */
const TRIES = 50
/** The part of a budget from which on it is near its end. */
const NEAR = 0.8
const HOLD = 'hold#'
const SWEPT = 'swept'

export type Budgets = ReturnType<typeof createBudgets>

/**
 * A row a budget and day: what is committed, and an attribute for each call under way. A hold and its money change in one
 * write, so money is held once, settled once and comes back once, whoever dies:
 *
 *             reserve (committed += estimate)            settle (committed += cost − estimate)
 *   no hold ─────────────────────────────▶ hold until T ─────────────────────────────────────▶ no hold
 *                                            │                                                    ▲
 *                    sweep, after T, by one  │ (committed −= estimate)                            │
 *                    who finds no room       ▼                                                    │
 *                                          swept ─── settle (committed += cost) ──────────────────┘
 *
 * T is the end of the claim's lease: until then the owner may live. A job that died is settled by its next claim, with the cost
 * of the reply that was kept, or with nothing; the hold of one that never comes back is swept when its money is needed.
 * A call that spends two budgets holds in the one, then in the other; where the second has no room the first is given
 * back, and who dies in between leaves a hold like any other.
 */
export function createBudgets(rows: Rows, now: () => number, onNear: (budget: Near) => void = () => {}) {
  /** Holds in one budget; where there is no room, sweeps and tries again as long as others make room or take it. */
  async function holdIn(budget: Budget, hold: Hold): Promise<Spent | undefined> {
    const { name, limitMicroUsd } = budget
    for (let tried = 1; ; tried += 1) {
      const held = await addHold(rows, name, limitMicroUsd, hold, now())
      // The hold stands; whoever comes next tells it where this fails.
      if (held) return tellNear(budget, hold.day, held).catch(() => undefined)
      const row = await rows.read(`budget#${name}`, hold.day)
      // The SDK repeats a write whose answer was lost, and the second finds the first.
      if (row?.[HOLD + hold.key] === toMark(hold)) return undefined
      const hasRoom = Number(row?.committedMicroUsd ?? 0) + hold.microUsd <= limitMicroUsd
      const swept = await sweep(rows, name, hold.day, row, now())
      if ((!hasRoom && swept === 0) || tried === TRIES) return tellSpent(budget, hold.day, row)
    }
  }

  async function tellSpent(budget: Budget, day: string, row: Row | undefined): Promise<Spent> {
    const isNew = await tellOnce(rows, budget, day, row, 'toldAtLimit', now())
    return { ...budget, committedMicroUsd: Number(row?.committedMicroUsd ?? 0), isNew }
  }

  async function tellNear(budget: Budget, day: string, row: Row): Promise<undefined> {
    const { name, limitMicroUsd } = budget
    const committed = Number(row.committedMicroUsd)
    if (committed < NEAR * limitMicroUsd || !(await tellOnce(rows, budget, day, row, 'toldNearAtLimit', now()))) return
    onNear({ budget: name, day, limitUsd: limitMicroUsd / 1e6, committedUsd: committed / 1e6 })
  }

  async function settle(hold: Hold, microUsd: number): Promise<void> {
    for (const name of hold.budgets) await settleIn(rows, name, hold, microUsd)
  }

  return {
    /** Sets money aside in all budgets, or in none: then says which of them has no room. `key` names the call, `until` ends the hold. */
    async reserve(budgets: Budget[], call: Pick<Hold, 'key' | 'microUsd' | 'until'>): Promise<Hold | Spent> {
      const hold: Hold = { ...call, day: pacificDay(now()), budgets: [] }
      for (const budget of budgets) {
        const spent = await holdIn(budget, hold)
        if (spent) {
          await settle(hold, 0)
          return spent
        }
        hold.budgets.push(budget.name)
      }
      return hold
    },

    /** A budget that has surely no room for a call, without setting anything aside. */
    async findSpent(budgets: Budget[], microUsd: number): Promise<Spent | undefined> {
      const day = pacificDay(now())
      for (const budget of budgets) {
        const row = await rows.read(`budget#${budget.name}`, day)
        const hasHolds = Object.entries(row ?? {}).some(([name, mark]) => name.startsWith(HOLD) && mark !== SWEPT)
        // Where calls are under way, or died, room may come back: reserving finds out.
        if (Number(row?.committedMicroUsd ?? 0) + microUsd > budget.limitMicroUsd && !hasHolds)
          return tellSpent(budget, day, row)
      }
      return undefined
    },

    /** Puts what a call really cost in the place of what was set aside for it. Said twice, it counts once. */
    settle,
  }
}

function toMark({ microUsd, until }: Hold): string {
  return `${microUsd} until ${until}`
}

/** The budget's row with the hold in it, or `undefined` where there is no room. */
async function addHold(
  rows: Rows,
  name: string,
  limitMicroUsd: number,
  hold: Hold,
  at: number,
): Promise<Row | undefined> {
  const room = limitMicroUsd - hold.microUsd
  if (room < 0) return undefined
  return rows.update(`budget#${name}`, hold.day, {
    expression:
      'SET #kind = :kind, expiresAt = :expiresAt, committedMicroUsd = if_not_exists(committedMicroUsd, :zero) + :amount, #hold = :mark',
    condition:
      'attribute_not_exists(#hold) AND (attribute_not_exists(committedMicroUsd) OR committedMicroUsd <= :room)',
    names: { '#kind': 'kind', '#hold': HOLD + hold.key },
    values: {
      ':kind': 'budget',
      ':expiresAt': Math.floor((at + REMEMBERED_MS) / 1000),
      ':zero': 0,
      ':amount': hold.microUsd,
      ':mark': toMark(hold),
      ':room': room,
    },
  })
}

async function settleIn(rows: Rows, name: string, hold: Hold, microUsd: number): Promise<void> {
  const replace = (mark: string, difference: number) =>
    rows.update(`budget#${name}`, hold.day, {
      expression: 'SET committedMicroUsd = committedMicroUsd + :difference REMOVE #hold',
      condition: '#hold = :mark',
      names: { '#hold': HOLD + hold.key },
      values: { ':mark': mark, ':difference': difference },
    })
  // Without either mark it was settled before.
  if (!(await replace(toMark(hold), microUsd - hold.microUsd))) await replace(SWEPT, microUsd)
}

/** Gives the money of the dead back, unless somebody else has just done so; returns how many there were. */
async function sweep(rows: Rows, name: string, day: string, row: Row | undefined, at: number): Promise<number> {
  let swept = 0
  for (const [attribute, mark] of Object.entries(row ?? {})) {
    if (!attribute.startsWith(HOLD) || mark === SWEPT) continue
    const [microUsd, until] = String(mark).split(' until ').map(Number)
    if (until === undefined || until >= at) continue
    const change = {
      expression: 'SET committedMicroUsd = committedMicroUsd - :amount, #hold = :swept',
      condition: '#hold = :mark',
      names: { '#hold': attribute },
      values: { ':amount': microUsd ?? 0, ':swept': SWEPT, ':mark': mark },
    }
    await rows.update(`budget#${name}`, day, change)
    swept += 1
  }
  return swept
}

/** Whether nobody said before, today and at this limit, what the attribute remembers. */
async function tellOnce(
  rows: Rows,
  { name, limitMicroUsd }: Budget,
  day: string,
  row: Row | undefined,
  told: 'toldAtLimit' | 'toldNearAtLimit',
  at: number,
): Promise<boolean> {
  if (row?.[told] === limitMicroUsd) return false
  const written = await rows.update(`budget#${name}`, day, {
    expression: 'SET #kind = :kind, expiresAt = :expiresAt, #told = :limit',
    condition: 'attribute_not_exists(#told) OR #told <> :limit',
    names: { '#kind': 'kind', '#told': told },
    values: { ':kind': 'budget', ':expiresAt': Math.floor((at + REMEMBERED_MS) / 1000), ':limit': limitMicroUsd },
  })
  return written !== undefined
}
