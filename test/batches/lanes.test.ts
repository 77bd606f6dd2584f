import { afterAll, expect, test } from 'vitest'
import type { Result } from '../../lib/result.ts'
import { openLane } from '../helpers/batch-lane.ts'

const COUNT = 50
const lane = await openLane()
afterAll(() => lane.close())

/** What must be the same in both lanes: all but ids, lane, cost and timing. */
const common = ({ job, cost: _, timing: __, attempts, images, ...rest }: Result) => ({
  ...rest,
  job: { ...job, id: 'id', lane: 'lane' },
  attempts: attempts.map(({ attempt, outcome, model }) => ({ attempt, outcome, model })),
  images: images.map(image => ({ ...image, key: image.key.replace(job.id, 'id') })),
})

test('fifty jobs come back the same by both lanes, at exactly half the price by batch', async () => {
  const numbers = Array.from({ length: COUNT }, (_, n) => n)
  for (const n of numbers) {
    const prompt = `lake number ${n}`
    await lane.send({ id: `now.${n}`, prompt, lane: 'now' })
    await lane.send({ id: `batch.${n}`, prompt })
  }
  await lane.run(2)
  for (const n of numbers) {
    const [now, batch] = [await lane.result(`now.${n}`), await lane.result(`batch.${n}`)] as [Result, Result]
    expect(common(batch)).toEqual(common(now))
    expect(now.cost.usd).toBeGreaterThan(0)
    expect(batch.cost.usd * 2).toBeCloseTo(now.cost.usd, 9)
  }
}, 90_000)
