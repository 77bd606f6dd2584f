import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Lane, openLane } from '../helpers/batch-lane.ts'

const HOUR = 60

let lane: Lane
beforeAll(async () => {
  lane = await openLane()
  await lane.settings({ maxWaitHours: 48, batch: { rows: 1 } })
})
afterAll(() => lane.close())
beforeEach(() => {
  lane.logs.length = 0
})

const hours = () =>
  lane.logs.filter(({ message }) => message === 'batch under way').map(({ fields }) => Number(fields.batchHours))

describe('a batch that never reaches Google', () => {
  test('is under way from its plan on, and the alarm hears its hours', async () => {
    lane.network.key = 'wrong'
    for (const id of ['planned', 'parked']) await lane.send({ id })
    await lane.submit()
    lane.pass(26 * HOUR)
    await lane.submit()
    expect(hours()).toEqual([expect.closeTo(26, 0)])
  })

  test('ends with its jobs when they have waited as long as they may, and so do lines that no batch took', async () => {
    lane.pass(21 * HOUR)
    await lane.send({ id: 'young' })
    await lane.run(2)
    for (const id of ['planned', 'parked', 'young']) expect(await lane.row(id)).toMatchObject({ status: 'batched' })
    lane.pass(2 * HOUR)
    await lane.run(2)
    for (const id of ['planned', 'parked'])
      expect(await lane.result(id)).toMatchObject({ status: 'failed', error: { code: 'ERR_JOB_WAITED_TOO_LONG' } })
    expect(await lane.row('young')).toMatchObject({ status: 'batched' })
    lane.network.key = lane.gemini.apiKey
    await lane.run(3)
    expect(await lane.result('young')).toMatchObject({ status: 'done', cost: { lane: 'batch' } })
    for (const [id, bills] of Object.entries({ planned: 0, parked: 0, young: 1 })) expect(lane.paid(id)).toBe(bills)
    expect(await lane.keys('batches/live/')).toEqual([])
    expect(await lane.keys('batches/open/')).toEqual([])
  })

  test('is asked about when it may be there, however old it is', async () => {
    const before = lane.gemini.batches.all().length
    await lane.settings({ maxWaitHours: 24 })
    lane.gemini.batches.order({ create: 'cut' })
    await lane.send({ id: 'unknown' })
    await lane.submit()
    lane.network.key = 'wrong'
    lane.pass(25 * HOUR)
    await lane.submit()
    expect(await lane.row('unknown')).toMatchObject({ status: 'batched' })
    lane.network.key = lane.gemini.apiKey
    await lane.run(2)
    expect(await lane.result('unknown')).toMatchObject({ status: 'done', cost: { lane: 'batch' } })
    expect(lane.gemini.batches.all().length - before).toBe(1)
  })
})
