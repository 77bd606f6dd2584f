import { readFile } from 'node:fs/promises'
import { CreateBucketCommand, DeleteBucketCommand, DeleteObjectCommand } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { DEFAULT_MODEL } from '../../lib/models.ts'
import { pacificDay, untilMidnightPacific } from '../../lib/pacific-day.ts'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'
import { photo } from '../helpers/photos.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Ten minutes before midnight in California. */
const LATE_EVENING = Date.parse('2026-11-22T07:50:00Z')

const settle = (darkroom: Bench, settings: unknown) => darkroom.putRecipe('settings', settings)
const sendMany = (darkroom: Bench, ids: readonly string[]) =>
  Promise.all(ids.map(id => darkroom.send({ id, operation: 'generate', prompt: `job <${id}>` })))
const idsFor = (name: string, count: number) => Array.from({ length: count }, (_, index) => `${name}-${index}`)
const statuses = async (darkroom: Bench, ids: readonly string[]) =>
  Promise.all(ids.map(async id => (await darkroom.row(id))?.status))
const countOf = async (darkroom: Bench, ids: readonly string[], status: string) =>
  (await statuses(darkroom, ids)).filter(each => each === status).length
const linesOf = (darkroom: Bench, message: string) =>
  darkroom.lines
    .filter(line => line.includes(`"message":"${message}"`))
    .map(line => JSON.parse(line) as Record<string, unknown>)

test('a wrong key costs no job: one looks each minute, and when it is mended all are done', {
  timeout: 120_000,
}, async () => {
  await using darkroom = await openDarkroom({ clockFactor: 60 })
  const { control, calls } = darkroom.gemini
  control.fail({ fault: 'key-invalid' })
  const ids = idsFor('key', 40)
  await sendMany(darkroom, ids)
  await until('all jobs wait', async () => (await countOf(darkroom, ids, 'waiting')) === 40)
  const [closing] = linesOf(darkroom, 'gate closed')
  const burst = calls.length
  const from = darkroom.stack.clock.now()
  await until('eight minutes pass', () => darkroom.stack.clock.now() - from > 8 * MINUTE_MS)
  const looks = calls.slice(burst).map(({ at }) => at)
  expect(looks.length).toBeGreaterThanOrEqual(5)
  expect(looks.length).toBeLessThanOrEqual(9)
  for (const [index, at] of looks.slice(1).entries()) expect(at - (looks[index] ?? 0)).toBeGreaterThan(MINUTE_MS / 2)
  expect(closing).toMatchObject({ level: 'ERROR', gate: 'gemini', code: 'ERR_GEMINI_KEY' })
  expect(linesOf(darkroom, 'gate closed')).toHaveLength(1)
  expect(linesOf(darkroom, 'job waits').every(({ level }) => level === 'WARN')).toBe(true)

  control.clear()
  await until('all jobs are done', async () => (await countOf(darkroom, ids, 'done')) === 40, 60_000)
  expect(linesOf(darkroom, 'gate opened')).toHaveLength(1)
  expect(await darkroom.depth('darkroom-jobs-dead-letter')).toBe(0)
  expect(calls.filter(({ outcome }) => outcome === 'answered')).toHaveLength(40)
})

test("a day's quota closes its own model until midnight in California, and no other", { timeout: 60_000 }, async () => {
  await using darkroom = await openDarkroom({ clockFactor: 30 })
  const spent = 'gemini-3-pro-image'
  darkroom.gemini.control.fail({ fault: 'quota-day', match: { model: spent } })
  await darkroom.send({ id: 'first', operation: 'generate', prompt: 'first', model: spent })
  await until('the first waits', async () => (await darkroom.row('first'))?.status === 'waiting')
  await darkroom.send({ id: 'second', operation: 'generate', prompt: 'second', model: spent })
  await darkroom.send({ id: 'other', operation: 'generate', prompt: 'other' })
  await until('the second waits', async () => (await darkroom.row('second'))?.status === 'waiting')
  expect((await darkroom.result('jobs/other/')).status).toBe('done')
  expect(darkroom.gemini.calls.filter(({ model }) => model === spent)).toHaveLength(1)
  const midnight = darkroom.stack.clock.now() + untilMidnightPacific(darkroom.stack.clock.now())
  for (const id of ['first', 'second']) {
    const { waitUntil } = (await darkroom.row(id)) as { waitUntil: number }
    expect(waitUntil - midnight).toBeGreaterThan(-2 * MINUTE_MS)
    expect(waitUntil - midnight).toBeLessThan(HOUR_MS)
  }
})

test('a settings.json with a slip lets nobody spend without a budget: jobs wait until it is corrected', {
  timeout: 60_000,
}, async () => {
  await using darkroom = await openDarkroom({ clockFactor: 60 })
  await settle(darkroom, { dailyBudgetUsd: '5 dollars' })
  await darkroom.send({ id: 'slip', operation: 'generate', prompt: 'a slip' })
  await until('the job waits', async () => (await darkroom.row('slip'))?.status === 'waiting')
  expect(await darkroom.row('slip')).toMatchObject({ waitReason: 'ERR_SETTINGS_INVALID' })
  expect(linesOf(darkroom, 'settings.json is faulty')[0]).toMatchObject({ level: 'ERROR' })
  await settle(darkroom, { dailyBudgetUsd: 5 })
  expect((await darkroom.result('jobs/slip/')).status).toBe('done')
})

/** How much the stack's minutes are shortened where hundreds of pictures have to be drawn in them. */
const PACE_FACTOR = 5

test('300 jobs meet sixty calls a minute at their edge: no call in twenty is refused, and all are done', {
  timeout: 300_000,
}, async () => {
  await using darkroom = await openDarkroom({ clockFactor: PACE_FACTOR })
  darkroom.gemini.control.limit(60)
  await settle(darkroom, { models: { [DEFAULT_MODEL]: { requestsPerMinute: 60 } } })
  const ids = idsFor('pace', 300)
  let mostReceives = 0
  darkroom.stack.lambda.events.on('start', ({ event }) => {
    const { Records = [] } = event as { Records: { attributes: { ApproximateReceiveCount: string } }[] }
    const counts = Records.map(({ attributes }) => Number(attributes.ApproximateReceiveCount))
    mostReceives = Math.max(mostReceives, ...counts)
  })
  await sendMany(darkroom, ids)
  await until('all jobs are done', () => darkroom.notices.length === 300, 280_000)
  const { calls } = darkroom.gemini
  const refused = calls.filter(({ status }) => status === 429)
  console.log(
    `300 jobs, ${calls.length} calls, ${refused.length} answered 429, ` +
      `${(((calls.at(-1)?.at ?? 0) - (calls[0]?.at ?? 0)) / MINUTE_MS).toFixed(1)} minutes, most receives ${mostReceives}`,
  )
  expect(refused.length).toBeLessThan(calls.length / 20)
  expect(new Set(await statuses(darkroom, ids))).toEqual(new Set(['done']))
  expect(mostReceives).toBeLessThan(5)
  expect(await darkroom.depth('darkroom-jobs-dead-letter')).toBe(0)
})

/** What ten calls like these may cost by the estimate, and no eleventh: what they really cost leaves less than one call's room. */
const TEN_CALLS_USD = 0.385

test('a budget for ten of fifty jobs calls ten; when it is raised, the rest', { timeout: 120_000 }, async () => {
  await using darkroom = await openDarkroom({ clockFactor: 30, paused: true })
  await settle(darkroom, { dailyBudgetUsd: TEN_CALLS_USD })
  const ids = idsFor('budget', 50)
  await sendMany(darkroom, ids)
  darkroom.stack.resumePollers()
  await until('ten are done and forty have met the budget', async () => {
    const rows = await Promise.all(ids.map(id => darkroom.row(id)))
    const refused = rows.filter(row => row?.status !== 'done' && row?.waitReason === 'ERR_BUDGET_SPENT')
    return rows.filter(row => row?.status === 'done').length === 10 && refused.length === 40
  })
  expect(darkroom.stack.lambda.counts('job').environments).toBeGreaterThanOrEqual(5)
  const looked = darkroom.stack.clock.now()
  await until('they have looked again', () => darkroom.stack.clock.now() - looked > 4 * MINUTE_MS)
  expect(darkroom.gemini.calls).toHaveLength(10)
  expect(linesOf(darkroom, 'budget spent')).toMatchObject([{ level: 'WARN', budget: 'all', limitUsd: TEN_CALLS_USD }])

  await settle(darkroom, { dailyBudgetUsd: 100 })
  await until('all are done', async () => (await countOf(darkroom, ids, 'done')) === 50, 60_000)
  expect(darkroom.gemini.calls).toHaveLength(50)
  const day = await darkroom.item('budget#all', pacificDay(darkroom.stack.clock.now()))
  const spentUsd = (await darkroom.results('jobs/budget-', 50)).reduce((sum, { cost }) => sum + cost.usd, 0)
  expect(Number(day?.committedMicroUsd) / 1e6).toBeCloseTo(spentUsd, 3)
  expect(Object.keys(day ?? {}).filter(name => name.startsWith('hold#'))).toEqual([])
})

test('money of a job whose function is killed comes back to it: it is done, and paid for once', {
  timeout: 60_000,
}, async () => {
  await using darkroom = await openDarkroom({ clockFactor: 120 })
  await settle(darkroom, { dailyBudgetUsd: 0.05 })
  darkroom.gemini.control.fail({ fault: 'hang', times: 1 })
  await sendMany(darkroom, ['killed-0'])
  await until('the call hangs', () => darkroom.gemini.calls.length === 1)
  expect(darkroom.stack.lambda.kill('job')).toHaveLength(1)
  const { cost } = await darkroom.result('jobs/killed-0/')
  const day = await darkroom.item('budget#all', pacificDay(darkroom.stack.clock.now()))
  expect(Number(day?.committedMicroUsd) / 1e6).toBeCloseTo(cost.usd, 5)
  expect(await darkroom.row('killed-0')).toMatchObject({ status: 'done', calls: 2 })
})

test("a recipe's spent budget holds up nobody else, and when the day turns in California the rest are called", {
  timeout: 120_000,
}, async () => {
  await using darkroom = await openDarkroom({ clockFactor: 30, startsAt: LATE_EVENING })
  await settle(darkroom, { recipes: { pricey: { dailyBudgetUsd: 0.05 } } })
  await darkroom.putRecipe('pricey', { operation: 'edit', prompt: 'make it dear' })
  await darkroom.putRecipe('free', { operation: 'edit', prompt: 'make it cheap' })
  const bytes = await readFile(photo('dust-bowl-home'))
  for (const name of ['a', 'b', 'c']) await darkroom.drop(`pricey/${name}.jpg`, bytes)
  await darkroom.drop('free/d.jpg', bytes)
  await darkroom.results('free/')
  await darkroom.results('pricey/')
  const evening = pacificDay(darkroom.stack.clock.now())
  expect(darkroom.gemini.calls).toHaveLength(2)
  await until('the day turns', () => pacificDay(darkroom.stack.clock.now()) !== evening, 60_000)
  await darkroom.results('pricey/', 2)
  await until('the second has spent its day too', () => linesOf(darkroom, 'budget spent').length === 2, 60_000)
  expect(darkroom.gemini.calls).toHaveLength(3)
})

test('a results bucket that is gone costs one reply, not one a job; when it is back, all are done', {
  timeout: 90_000,
}, async () => {
  await using darkroom = await openDarkroom({ clockFactor: 60 })
  const Bucket = darkroom.env.RESULTS_BUCKET
  const ids = idsFor('lost', 8)
  const release = darkroom.gemini.control.hold({})
  await darkroom.send({ id: 'lost-0', operation: 'generate', prompt: 'the first' })
  await until('the first calls', () => darkroom.gemini.calls.length === 1)
  for (const Key of await darkroom.keys()) await darkroom.stack.s3.send(new DeleteObjectCommand({ Bucket, Key }))
  await darkroom.stack.s3.send(new DeleteBucketCommand({ Bucket }))
  release()
  await until('the first waits', async () => (await darkroom.row('lost-0'))?.status === 'waiting')
  await sendMany(darkroom, ids.slice(1))
  await until('all wait', async () => (await countOf(darkroom, ids, 'waiting')) === 8)
  const from = darkroom.stack.clock.now()
  await until('four minutes pass', () => darkroom.stack.clock.now() - from > 4 * MINUTE_MS)
  expect(darkroom.gemini.calls).toHaveLength(1)
  expect(await darkroom.row('lost-1')).toMatchObject({ waitReason: 'ERR_AWS_FORBIDDEN' })
  expect(linesOf(darkroom, 'gate closed')).toMatchObject([{ level: 'ERROR', gate: 'aws' }])

  await darkroom.stack.s3.send(new CreateBucketCommand({ Bucket }))
  await until('all are done', async () => (await countOf(darkroom, ids, 'done')) === 8, 40_000)
  expect(darkroom.gemini.calls).toHaveLength(9)
  expect(linesOf(darkroom, 'gate opened')).toHaveLength(1)
})
