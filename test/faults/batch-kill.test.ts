import { afterAll, describe, expect, test } from 'vitest'
import { type Lane, openLane } from '../helpers/batch-lane.ts'

/** Enough for the lease of a function that died. */
const LEASE_MINUTES = 16
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

await park()
const submitting = await lane.power.watch(() => lane.submit())
await lane.gemini.batches.finish()
await lane.submit()
const collecting = await lane.power.watch(() => lane.deliver())

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

describe('a submit that dies after', () => {
  test.for(submitting.map((step, n) => [n + 1, step] as const))(
    'step %i, %s: one batch, one result a job',
    async ([n]) => {
      const ids = await park()
      const before = lane.gemini.batches.all().length
      await lane.power.cutAfter(n, () => lane.submit())
      lane.pass(LEASE_MINUTES)
      await lane.run(3)
      expect(lane.gemini.batches.all().length - before).toBe(1)
      await expectOneOfEach(lane, ids)
    },
  )
})

describe('a collect that dies after', () => {
  test.for(collecting.map((step, n) => [n + 1, step] as const))('step %i, %s: one result a job', async ([n]) => {
    const ids = await park()
    await lane.submit()
    await lane.gemini.batches.finish()
    await lane.submit()
    const id = lane.batches.shift() ?? ''
    lane.batches.length = 0
    await lane.power.cutAfter(n, () => lane.collect(id))
    lane.pass(LEASE_MINUTES)
    await lane.run(3)
    await expectOneOfEach(lane, ids)
  })
})
