import { afterAll, describe, expect, test } from 'vitest'
import { type Lane, openLane } from '../helpers/batch-lane.ts'

/** Enough for the lease of a function that died. */
const LEASE_MINUTES = 16
/** The next tick comes before any lease has ended. */
const SOON_MINUTES = 4
const JOBS = ['a', 'b']

const lane = await openLane()
afterAll(() => lane.close())

let runs = 0
/** Two parked jobs with names of their own. */
async function park(): Promise<string[]> {
  runs += 1
  const ids = JOBS.map(name => `run${runs}.${name}`)
  for (const id of ids) await lane.send({ id })
  return ids
}

const [first] = await park()
lane.gemini.batches.orderRows({ row: 'unavailable', includes: `<${first}>`, times: 1 })
const submitting = await lane.power.watch(() => lane.submit())
await lane.gemini.batches.finish()
await lane.submit()
const collecting = await lane.power.watch(() => lane.collect(lane.batches[0] ?? ''))
await lane.run(4)

/** One bill, one result, one row in one batch for each job; and nothing is left lying about. */
async function expectOneOfEach(lane: Lane, ids: string[]): Promise<void> {
  for (const id of ids) {
    expect(await lane.row(id), id).toMatchObject({ status: 'done' })
    expect((await lane.result(id))?.status).toBe('done')
    expect((await lane.result(id))?.cost.usd).toBeLessThan(0.02)
    expect(lane.paid(id), `bills of ${id}`).toBe(1)
    expect(await lane.keys(`jobs/${id}/response-`)).toHaveLength(1)
  }
  expect(await lane.keys('batches/open/')).toEqual([])
  expect(await lane.keys('batches/live/')).toEqual([])
}

type Blow = { minutes: number; every: number; strike: (step: number, run: () => Promise<unknown>) => Promise<unknown> }

/** A run of the suite that is kept small tries every third call where the others are tried too. */
const IS_SMALL = Number(process.env.FAULTS_JOBS ?? 200) < 200

/** What befalls a run at one of its calls, how soon the next one comes, and at every which call it is tried. */
const BLOWS: Record<string, Blow> = {
  'dies after': { minutes: LEASE_MINUTES, every: 1, strike: lane.power.cutAfter },
  'dies, and is followed soon, after': { minutes: SOON_MINUTES, every: 5, strike: lane.power.cutAfter },
  'is refused by AWS or Google at': {
    minutes: SOON_MINUTES,
    every: IS_SMALL ? 3 : 1,
    strike: (step, run) => lane.power.failAt(step, 1, run),
  },
  'is refused three times from': {
    minutes: SOON_MINUTES,
    every: 5,
    strike: (step, run) => lane.power.failAt(step, 3, run),
  },
}

describe.each(Object.entries(BLOWS))('a run that %s', (_, { minutes, every, strike }) => {
  const stepsOf = (steps: string[]) => steps.map((step, n) => [n + 1, step] as const).filter(([n]) => n % every === 0)

  test.for(stepsOf(submitting))('step %i of a submit, %s: one batch, one result a job', async ([n]) => {
    const ids = await park()
    const before = lane.gemini.batches.all().length
    await strike(n, () => lane.submit())
    lane.pass(minutes)
    await lane.run(6)
    expect(lane.gemini.batches.all().length - before).toBe(1)
    await expectOneOfEach(lane, ids)
  })

  test.for(stepsOf(collecting))('step %i of a collect, %s: one result a job', async ([n]) => {
    const ids = await park()
    // One of them gets no answer, and goes into the next batch.
    lane.gemini.batches.orderRows({ row: 'unavailable', includes: `<${ids[0]}>`, times: 1 })
    await lane.submit()
    await lane.gemini.batches.finish()
    await lane.submit()
    const id = lane.batches.shift() ?? ''
    lane.batches.length = 0
    await strike(n, () => lane.collect(id))
    lane.pass(minutes)
    await lane.run(5)
    await expectOneOfEach(lane, ids)
  })
})
