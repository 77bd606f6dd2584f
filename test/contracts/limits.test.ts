import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Applicant, reserve } from '../../lib/admission.ts'
import { type Budgets, createBudgets, type Hold, type Near } from '../../lib/aws/budgets.ts'
import { createGates, type Gates } from '../../lib/aws/gates.ts'
import { createPace } from '../../lib/aws/pace.ts'
import { createRows, type Rows } from '../../lib/aws/rows.ts'
import { DEFAULT_SETTINGS } from '../../lib/config.ts'
import { parseJob } from '../../lib/job.ts'
import { makePlan } from '../../lib/plan.ts'
import { type Backend, openBackend } from '../helpers/backend.ts'
import { caught } from '../helpers/caught.ts'

/** Noon in California, a winter's day. */
const NOON = Date.parse('2026-11-21T12:00:00-08:00')
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

let backend: Backend
let rows: Rows
let time = NOON
const now = () => time
let tests = 0
const unique = () => `${backend.prefix}-${tests}`

beforeAll(async () => {
  backend = await openBackend()
  rows = createRows(backend.dynamodb, backend.table)
})
afterAll(() => backend[Symbol.asyncDispose]())
beforeEach(() => {
  time = NOON
  tests += 1
})

const many = <T>(count: number, make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)))

describe('the pace', () => {
  test('fifty who ask at once get fifty slots, a fixed time apart, the first of them now', async () => {
    const slots = await many(50, () => createPace(rows, now).takeSlot(unique(), 60))
    const sorted = slots.toSorted((a, b) => a - b)
    expect(sorted[0]).toBe(NOON)
    expect(new Set(sorted.slice(1).map((slot, index) => slot - (sorted[index] ?? 0)))).toEqual(new Set([1053]))
  })

  test('slots that passed unused are gone: who comes late does not find them heaped up', async () => {
    const pace = createPace(rows, now)
    await many(3, () => pace.takeSlot(unique(), 60))
    time += 10 * MINUTE_MS
    expect(await pace.takeSlot(unique(), 60)).toBe(time)
    expect(await pace.takeSlot(unique(), 60)).toBe(time + 1053)
  })

  test('each model has its own', async () => {
    const pace = createPace(rows, now)
    await pace.takeSlot(`${unique()}-a`, 1)
    expect(await pace.takeSlot(`${unique()}-b`, 1)).toBe(NOON)
  })
})

describe('a gate', () => {
  const key = { code: 'ERR_GEMINI_KEY', reason: 'API key not valid' } as const
  const gates = () => createGates(rows, now)
  const close = (by: Gates, begunAt = time) => by.close(unique(), { ...key, begunAt, nextLookAt: time + MINUTE_MS })

  test('lets everybody through that nobody closed', async () => {
    expect(await gates().enter([unique()], NOON)).toEqual([])
  })

  test('that one function closed is closed for all, with the reason, and each comes again at a time of its own', async () => {
    expect(await close(gates())).toEqual({ isNew: true, nextLookAt: NOON + MINUTE_MS })
    const errors = await many(40, () => caught(() => gates().enter([unique()], NOON)))
    expect(errors[0]).toMatchObject({ code: 'ERR_GEMINI_KEY', remedy: 'repair', isSpread: true })
    expect(String(errors[0])).toContain('API key not valid')
    const waits = errors.map(error => (error as { retryAfterMs: number }).retryAfterMs)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(1.5 * MINUTE_MS)
    expect(Math.max(...waits)).toBeLessThanOrEqual(2 * MINUTE_MS)
    expect(new Set(waits).size).toBeGreaterThan(30)
  })

  test('is closed once, however many met the fault', async () => {
    const closings = await many(20, () => close(gates()))
    expect(closings.filter(({ isNew }) => isNew)).toHaveLength(1)
  })

  test('lets one of fifty look when the minute is over, and the next a minute later', async () => {
    await close(gates())
    for (const _ of [1, 2]) {
      time += MINUTE_MS + 1
      const looks = await many(50, () =>
        gates()
          .enter([unique()], NOON)
          .catch(() => 'waits'),
      )
      expect(looks.filter(look => look !== 'waits')).toEqual([[unique()]])
    }
  })

  test('wastes no turn on a job that another gate holds back', async () => {
    const other = `${unique()}-other`
    await close(gates())
    await gates().close(other, { ...key, begunAt: time, nextLookAt: time + HOUR_MS })
    time += MINUTE_MS + 1
    await expect(gates().enter([unique(), other], NOON)).rejects.toMatchObject({ code: 'ERR_GEMINI_KEY' })
    expect(await gates().enter([unique()], NOON)).toEqual([unique()])
  })

  test('opens for all when a look succeeded', async () => {
    await close(gates())
    expect(await gates().open(unique())).toBe(true)
    expect(await gates().open(unique())).toBe(false)
    expect(await gates().enter([unique()], NOON)).toEqual([])
  })

  test('is not closed again by a call that was begun before it opened', async () => {
    await close(gates())
    time += MINUTE_MS
    await gates().open(unique())
    time += 5000
    expect(await close(gates(), time - 10_000)).toMatchObject({ isNew: false })
    expect(await gates().enter([unique()], NOON)).toEqual([])
    expect(await close(gates())).toMatchObject({ isNew: true })
  })

  test('is read once by a burst of one function, and again some seconds later', async () => {
    const one = gates()
    await many(20, () => one.enter([unique()], NOON))
    await close(gates())
    expect(await one.enter([unique()], NOON)).toEqual([])
    time += 5000
    await expect(one.enter([unique()], NOON)).rejects.toMatchObject({ code: 'ERR_GEMINI_KEY' })
  })
})

describe('a budget', () => {
  const budgets = (): Budgets => createBudgets(rows, now)
  const all = (limitMicroUsd: number) => [{ name: unique(), limitMicroUsd }]
  const call = (key: string | number, microUsd = 100) => ({
    key: `job-${key}#1#1`,
    microUsd,
    until: time + 5 * MINUTE_MS,
  })
  const isHold = (held: object): held is Hold => 'budgets' in held
  const committed = async (name = unique()) => (await rows.read(`budget#${name}`, '2026-11-21'))?.committedMicroUsd

  test('for ten lets ten of fifty through that ask at once', async () => {
    const held = await many(50, index => budgets().reserve(all(1050), call(index)))
    expect(held.filter(isHold)).toHaveLength(10)
    expect(await committed()).toBe(1000)
  })

  test('says that it is spent once, and again only when it was raised and spent again', async () => {
    await budgets().reserve(all(100), call('first'))
    const refused = await many(5, index => budgets().reserve(all(100), call(index)))
    expect(refused.filter(spent => !isHold(spent) && spent.isNew)).toHaveLength(1)
    expect(isHold(await budgets().reserve(all(200), call('raised')))).toBe(true)
    expect(await budgets().reserve(all(200), call('next'))).toMatchObject({ isNew: true, committedMicroUsd: 200 })
  })

  test('tells that four fifths are gone once, whoever gets there, and again when it was raised or the day turned in California', async () => {
    const told: Near[] = []
    const reserve = (key: string | number, limit: number) =>
      createBudgets(rows, now, near => told.push(near)).reserve(all(limit), call(key))
    await many(7, index => reserve(index, 1000))
    expect(told).toEqual([])
    await many(3, index => reserve(`late-${index}`, 1000))
    expect(told).toMatchObject([{ budget: unique(), day: '2026-11-21', limitUsd: 0.001 }])
    await reserve('raised', 1100)
    expect(told).toHaveLength(2)
    time = Date.parse('2026-11-21T23:59:00-08:00')
    await reserve('evening', 1200)
    expect(told.map(({ day }) => day)).toEqual(['2026-11-21', '2026-11-21', '2026-11-21'])
    time += 2 * MINUTE_MS
    await reserve('night', 100)
    expect(told.at(-1)).toMatchObject({ day: '2026-11-22', committedUsd: 0.0001 })
  })

  test('counts the true cost in the place of the estimate, and counts it once', async () => {
    const hold = (await budgets().reserve(all(1000), call('a'))) as Hold
    await budgets().settle(hold, 70)
    await budgets().settle(hold, 70)
    await budgets().settle(hold, 0)
    expect(await committed()).toBe(70)
  })

  test('gets the money of a call back that was never made', async () => {
    await budgets().settle((await budgets().reserve(all(100), call('a'))) as Hold, 0)
    expect(await committed()).toBe(0)
  })

  test('gets the money of a dead job back when its claim has ended and it is needed, not before', async () => {
    await many(10, index => budgets().reserve(all(1000), call(index)))
    expect(isHold(await budgets().reserve(all(1000), call('early')))).toBe(false)
    time += 6 * MINUTE_MS
    const held = await many(50, index => budgets().reserve(all(1000), call(`late-${index}`)))
    expect(held.filter(isHold)).toHaveLength(10)
    expect(await committed()).toBe(1000)
  })

  test('counts a reply that was found after its money had come back, once', async () => {
    const hold = (await budgets().reserve(all(100), call('dead'))) as Hold
    time += 6 * MINUTE_MS
    const next = (await budgets().reserve(all(100), call('next'))) as Hold
    await budgets().settle(hold, 80)
    await budgets().settle(hold, 80)
    await budgets().settle(next, 90)
    expect(await committed()).toBe(170)
  })

  test('of a recipe keeps nothing when the budget of everything has no room, and the other way round', async () => {
    const [recipe, everything] = [`${unique()}-recipe`, `${unique()}-all`]
    const both = (recipeLimit: number, allLimit: number) => [
      { name: recipe, limitMicroUsd: recipeLimit },
      { name: everything, limitMicroUsd: allLimit },
    ]
    expect(isHold(await budgets().reserve(both(1000, 1000), call('a')))).toBe(true)
    expect(await budgets().reserve(both(1000, 150), call('b'))).toMatchObject({ name: everything })
    expect(await budgets().reserve(both(150, 1000), call('c'))).toMatchObject({ name: recipe })
    expect([await committed(recipe), await committed(everything)]).toEqual([100, 100])
  })

  test('is whole again when the day turns in California', async () => {
    time = Date.parse('2026-11-21T23:59:00-08:00')
    expect(isHold(await budgets().reserve(all(100), call('evening')))).toBe(true)
    expect(await budgets().findSpent(all(100), 100)).toBeUndefined()
    time += 2 * MINUTE_MS
    expect(isHold(await budgets().reserve(all(100), call('morning')))).toBe(true)
  })

  test('a write that the SDK repeats holds once', async () => {
    expect(isHold(await budgets().reserve(all(100), call('a')))).toBe(true)
    expect(isHold(await budgets().reserve(all(100), call('a')))).toBe(true)
    expect(await committed()).toBe(100)
  })

  test('that is spent is seen also where a dead call’s money came back', async () => {
    await budgets().reserve(all(100), call('dead'))
    time += 6 * MINUTE_MS
    await budgets().settle((await budgets().reserve(all(100), call('next'))) as Hold, 100)
    expect(await budgets().findSpent(all(100), 1)).toMatchObject({ committedMicroUsd: 100 })
  })

  test('sets aside for a call twice what a line of a batch costs, whatever lane the job wished for', async () => {
    const job = parseJob({ id: 'a', operation: 'generate', prompt: 'a lake', lane: 'batch' })
    const plan = makePlan(job, DEFAULT_SETTINGS, '2026-11-21')
    const applicant = (id: string) => {
      const settings = { ...DEFAULT_SETTINGS, budgets: { all: 1, recipes: {} } }
      return { budgets: budgets(), settings, claim: { id, number: 1, calls: 0 }, leaseUntil: time } as Applicant
    }
    const [line, paid] = [
      await reserve(applicant('line'), plan, 'batch'),
      await reserve(applicant('call'), plan, 'now'),
    ]
    expect((paid?.microUsd ?? 0) / (line?.microUsd ?? 0)).toBeCloseTo(2, 2)
  })

  test('that is settled and has no room is seen without holding anything; one with calls under way may get room', async () => {
    const hold = (await budgets().reserve(all(100), call('a'))) as Hold
    expect(await budgets().findSpent(all(100), 50)).toBeUndefined()
    await budgets().settle(hold, 90)
    expect(await budgets().findSpent(all(100), 50)).toMatchObject({ committedMicroUsd: 90 })
    expect(await budgets().findSpent(all(140), 50)).toBeUndefined()
  })
})
