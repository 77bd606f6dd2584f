import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { inGroups } from '../../lib/batches/desk.ts'
import { type Lane, openLane } from '../helpers/batch-lane.ts'
import { caught } from '../helpers/caught.ts'

let lane: Lane
beforeAll(async () => {
  lane = await openLane()
})
afterAll(() => lane.close())
beforeEach(() => {
  lane.gemini.batches.clear()
  lane.logs.length = 0
})

/** Jobs in a batch that is over, and the batch. */
async function over(ids: string[]): Promise<string> {
  for (const id of ids) await lane.send({ id })
  await lane.submit()
  await lane.gemini.batches.finish()
  await lane.submit()
  const batch = lane.batches.at(-1) ?? ''
  lane.batches.length = 0
  return batch
}
const isJobMessage = (step: string) => step === 'queue a job'

describe('a batched job whose batch meets an outage of AWS', () => {
  test.each<[string, string, (step: string) => boolean]>([
    ['goes again though SQS was down when it should have', 'sqs', isJobMessage],
    [
      'even if the ledger could not give it back',
      'ledger',
      step => isJobMessage(step) || step.startsWith('UpdateItem job#'),
    ],
  ])('%s', async (_, name, isDown) => {
    const ids = [`${name}.row`, `${name}.other`]
    lane.gemini.batches.orderRows({ row: 'unavailable', includes: `<${name}.row>`, times: 1 })
    const batch = await over(ids)
    let isOut = false
    await lane.power.failWhere(
      step => {
        isOut ||= isJobMessage(step)
        return isOut && isDown(step)
      },
      () => lane.collect(batch),
    )
    lane.pass(4)
    await lane.run(3)
    for (const id of ids) {
      expect(await lane.result(id)).toMatchObject({ status: 'done' })
      expect(lane.paid(id)).toBe(1)
    }
    expect(await lane.keys('batches/live/')).toEqual([])
  })

  test('is given back at once where that can be written', async () => {
    lane.gemini.batches.orderRows({ row: 'unavailable', includes: '<back.row>', times: 1 })
    const batch = await over(['back.row'])
    await lane.power.failWhere(isJobMessage, () => lane.collect(batch))
    expect(await lane.row('back.row')).toMatchObject({ status: 'batched' })
    await lane.run(3)
    expect(await lane.result('back.row')).toMatchObject({ status: 'done' })
  })

  test('is ended by the reply that was paid, though nothing could be made of it at first', async () => {
    const batch = await over(['paid'])
    let isOut = false
    await lane.power.failWhere(
      step => {
        isOut ||= step.startsWith('GetObject jobs/paid/')
        return isOut && !step.includes('lease#')
      },
      () => lane.collect(batch),
    )
    expect(await lane.row('paid')).toMatchObject({ status: 'running' })
    lane.pass(4)
    await lane.run(3)
    expect(await lane.result('paid')).toMatchObject({ status: 'done', attempts: [{ outcome: 'reply' }] })
    expect(lane.paid('paid')).toBe(1)
  })

  test('is waited for by a batch without results, too', async () => {
    const ids = [1, 2, 3, 4, 5, 6].map(n => `rest.${n}`)
    lane.gemini.batches.order({ end: 'FAILED' })
    const batch = await over(ids)
    let isOut = false
    await lane.power.failWhere(
      step => {
        isOut ||= isJobMessage(step)
        return isOut && !step.includes('lease#')
      },
      () => lane.collect(batch),
    )
    lane.pass(4)
    await lane.collect(batch)
    expect(await lane.desk.batches.read(batch)).toMatchObject({ step: 'ended' })
    await lane.run(4)
    for (const id of ids) expect(await lane.result(id)).toMatchObject({ status: 'done' })
    expect(await lane.desk.batches.read(batch)).toMatchObject({ step: 'collected' })
  })
})

describe('work in groups', () => {
  test('throws its first error when the others of the group are done', async () => {
    const done: number[] = []
    async function* items() {
      yield* [1, 2, 3]
    }
    const work = async (n: number) => {
      if (n === 1) throw new Error('first')
      await new Promise(resolve => setImmediate(resolve))
      done.push(n)
    }
    expect(await caught(() => inGroups(items(), 3, work))).toMatchObject({ message: 'first' })
    expect(done).toEqual([2, 3])
  })

  test('waits for the open group when the list breaks off', async () => {
    const done: number[] = []
    async function* items() {
      yield 1
      yield 2
      // Longer than the first one takes to fail: nobody may call that unhandled.
      await new Promise(resolve => setImmediate(resolve))
      throw new Error('list')
    }
    const work = async (n: number) => {
      if (n === 1) throw new Error('first')
      for (let turn = 0; turn < 5; turn += 1) await new Promise(resolve => setImmediate(resolve))
      done.push(n)
    }
    expect(await caught(() => inGroups(items(), 5, work))).toMatchObject({ message: 'list' })
    expect(done).toEqual([2])
  })
})
