import { z } from 'zod'
import { FAULTS, type FaultName } from './faults.ts'
import { createChance } from './pictures/chance.ts'
import { REPLIES, type ReplyName } from './replies.ts'

const Match = z.strictObject({ model: z.string().optional(), promptIncludes: z.string().optional() })

const When = {
  /** How many calls it strikes; without it, all. */
  times: z.int().positive().optional(),
  /** The share of calls that it strikes, by chance. */
  share: z.number().min(0).max(1).optional(),
  seed: z.union([z.string(), z.number()]).optional(),
  match: Match.optional(),
}

const names = <Name extends string>(table: Record<Name, unknown>) => z.enum(Object.keys(table) as [Name, ...Name[]])
const Wait = z.union([z.number().nonnegative(), z.tuple([z.number().nonnegative(), z.number().nonnegative()])])

const Fail = z.strictObject({
  fault: names<FaultName>(FAULTS),
  /** The wait that a 429 names, 2000 where none is given. */
  delayMs: z.number().nonnegative().optional(),
  /** For `slow`. */
  ms: Wait.optional(),
  ...When,
})
const Slow = z.strictObject({ ms: Wait, ...When })
const Force = z.strictObject({ reply: names<ReplyName>(REPLIES), ...When })

export type Fail = z.infer<typeof Fail>
export type Slow = z.infer<typeof Slow>
export type Force = z.infer<typeof Force>

/** What another process may order: faults, forced replies, slowness, a limit. */
export const Order = z.union([
  Fail,
  Force,
  z.strictObject({ slow: Slow }),
  z.strictObject({ requestsPerMinute: z.number().positive().nullable() }),
])

type Target = { model: string; prompt: string }
type Standing<T> = { order: T; left: number; chance: () => number }

export type Control = ReturnType<typeof createControl>

/** The orders that stand, in the order in which they were given; the first that fits a call strikes it. */
export function createControl(setLimit: (requestsPerMinute: number | undefined) => void) {
  const faults: Standing<Fail>[] = []
  const replies: Standing<Force>[] = []
  const holds = new Set<{ match: z.infer<typeof Match>; over: PromiseWithResolvers<void> }>()

  const control = {
    /** Lets calls fail. */
    fail: (order: Fail) => stand(faults, Fail.parse(order)),
    /** Lets calls wait before they are answered. */
    slow: (order: Slow) => stand(faults, Fail.parse({ fault: 'slow', ...Slow.parse(order) })),
    /** Lets calls wait until the function that it returns is called. */
    hold(match: z.infer<typeof Match>): () => void {
      const hold = { match, over: Promise.withResolvers<void>() }
      holds.add(hold)
      return () => {
        holds.delete(hold)
        hold.over.resolve()
      }
    },
    /** Forces a reply on calls of image models that pass every rule. */
    reply: (order: Force) => stand(replies, Force.parse(order)),
    /** Sets how many calls a minute each model answers; `undefined` lifts the limit. */
    limit: setLimit,
    clear(): void {
      faults.length = 0
      replies.length = 0
      for (const { over } of holds) over.resolve()
      holds.clear()
    },
    order(given: unknown): void {
      const order = Order.parse(given)
      if ('fault' in order) control.fail(order)
      else if ('reply' in order) control.reply(order)
      else if ('slow' in order) control.slow(order.slow)
      else setLimit(order.requestsPerMinute ?? undefined)
    },
    standing: () => [...faults, ...replies].map(({ order, left }) => ({ ...order, ...(left < Infinity && { left }) })),
    /** Resolves when nothing holds this call. */
    async whenReleased(target: Target): Promise<void> {
      const all = [...holds].filter(({ match }) => fits(match, target))
      await Promise.all(all.map(({ over }) => over.promise))
    },
    /** How long this call has to wait, in milliseconds. */
    takeWait(target: Target): number {
      const struck = take(faults, target, order => order.fault === 'slow')
      return struck ? waitOf(struck.order.ms, struck.chance) : 0
    },
    takeFault: (target: Target) => take(faults, target, order => order.fault !== 'slow')?.order,
    takeReply: (target: Target) => take(replies, target, () => true)?.order,
  }
  return control
}

function stand<T extends Fail | Force>(standing: Standing<T>[], order: T): void {
  const chance = createChance(String(order.seed ?? 'chance'))
  standing.push({ order, left: order.times ?? Infinity, chance })
}

function take<T extends Fail | Force>(standing: Standing<T>[], target: Target, isKind: (order: T) => boolean) {
  for (const each of standing) {
    const { order } = each
    if (each.left <= 0 || !isKind(order) || !fits(order.match, target)) continue
    if (order.share !== undefined && each.chance() >= order.share) continue
    each.left -= 1
    return each
  }
}

function waitOf(ms: Fail['ms'] = 1000, chance: () => number): number {
  return typeof ms === 'number' ? ms : ms[0] + chance() * (ms[1] - ms[0])
}

function fits(match: z.infer<typeof Match> | undefined, { model, prompt }: Target): boolean {
  if (match?.model !== undefined && match.model !== model) return false
  return match?.promptIncludes === undefined || prompt.includes(match.promptIncludes)
}
