import { beforeEach, describe, expect, test } from 'vitest'
import { untilMidnightPacific } from '../../lib/pacific-day.ts'
import { type Lane, openLane } from '../helpers/batch-lane.ts'
import { caught } from '../helpers/caught.ts'

const LEASE_MINUTES = 16
const HOUR_MS = 3_600_000

let lane: Lane
beforeEach(async () => {
  lane = await openLane()
  // A budget is a day's: no test may run into the next.
  if (untilMidnightPacific(lane.now()) < HOUR_MS) lane.pass(61)
  // One picture of a batch has room, and no second.
  await lane.settings({ dailyBudgetUsd: 0.03 })
  return () => lane.close()
})

const send = (id: string) => lane.send({ id })
const isPark = (step: string) => step.startsWith('UpdateItem job#')
/** The last write to the job's row: it is parked. */
async function parkedAt(): Promise<number> {
  const lane = await openLane()
  await lane.settings({ dailyBudgetUsd: 0.03 })
  const steps = await lane.power.watch(() => lane.send({ id: 'x' }))
  await lane.close()
  return steps.findLastIndex(isPark) + 1
}

describe('the money of a parked job', () => {
  const expectSpent = async () => {
    lane.pass(LEASE_MINUTES)
    expect(await caught(() => send('second'))).toMatchObject({ code: 'ERR_BUDGET_SPENT' })
  }

  test('counts as spent when no owner holds it any more', async () => {
    await send('first')
    await expectSpent()
  })

  test('counts as spent though the owner died as soon as it was parked', async () => {
    const step = await parkedAt()
    await lane.power.cutAfter(step, () => send('first'))
    expect(await lane.row('first')).toMatchObject({ status: 'batched' })
    await expectSpent()
  })
})
