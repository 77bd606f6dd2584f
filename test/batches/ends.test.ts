import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { BatchOrder } from '../../infra/local/gemini/batches.ts'
import { cancelBatch } from '../../lib/batches/cancel.ts'
import { type Lane, openLane } from '../helpers/batch-lane.ts'

let lane: Lane
beforeAll(async () => {
  lane = await openLane()
})
afterAll(() => lane.close())
beforeEach(() => {
  lane.gemini.batches.clear()
  lane.jobs.length = 0
  lane.batches.length = 0
})

const lanesOf = async (id: string) => (await lane.result(id))?.attempts.map(({ batch }) => (batch ? 'batch' : 'now'))
const batchesSince = (count: number) => lane.gemini.batches.all().length - count

type Case = { order: BatchOrder; code: string; lanes: string[] }
const CASES: Record<string, Case> = {
  FAILED: { order: { end: 'FAILED' }, code: 'ERR_BATCH_FAILED', lanes: ['batch', 'batch'] },
  EXPIRED: { order: { end: 'EXPIRED' }, code: 'ERR_BATCH_EXPIRED', lanes: ['batch', 'now'] },
  REFUSED: { order: { create: 'refuse' }, code: 'ERR_BATCH_FAILED', lanes: ['batch', 'now'] },
}

describe('a batch that ends without results', () => {
  test.for(Object.entries(CASES))('%s: its jobs go again, by rule', async ([name, { order, code, lanes }]) => {
    const id = `end.${name}`
    lane.gemini.batches.order(order)
    await lane.send({ id })
    await lane.run(4)
    expect(await lane.result(id)).toMatchObject({ status: 'done', attempts: [{ outcome: code }, { outcome: 'reply' }] })
    expect(await lanesOf(id)).toEqual(lanes)
    expect(lane.paid(id)).toBe(1)
  })

  test('PARTIALLY_SUCCEEDED: half is done, half goes again', async () => {
    const before = lane.gemini.batches.all().length
    lane.gemini.batches.order({ end: 'PARTIALLY_SUCCEEDED' })
    await lane.send({ id: 'half.1' })
    await lane.send({ id: 'half.2' })
    await lane.run(4)
    expect(await lanesOf('half.1')).toEqual(['batch'])
    expect(await lanesOf('half.2')).toEqual(['batch', 'batch'])
    expect(batchesSince(before)).toBe(2)
    for (const id of ['half.1', 'half.2']) expect(lane.paid(id)).toBe(1)
  })

  test('FAILED twice: the now lane takes over, and the result says at which price', async () => {
    lane.gemini.batches.order({ end: 'FAILED' })
    lane.gemini.batches.order({ end: 'FAILED' })
    await lane.send({ id: 'twice' })
    await lane.run(4)
    expect(await lanesOf('twice')).toEqual(['batch', 'batch', 'now'])
    const result = await lane.result('twice')
    expect(result?.cost.lane).toBe('now')
    expect(result?.warnings.join()).toMatch(/now lane, at the full price/)
  })

  test('stuck: it is cancelled after the hours of the settings, and its jobs go by the now lane', async () => {
    lane.gemini.batches.order({ end: 'STUCK' })
    await lane.send({ id: 'stuck' })
    await lane.run(2)
    expect(await lane.row('stuck')).toMatchObject({ status: 'batched' })
    lane.pass(36 * 60)
    await lane.run(3)
    expect(lane.gemini.batches.all().at(-1)?.state).toBe('CANCELLED')
    expect(await lanesOf('stuck')).toEqual(['batch', 'now'])
    expect(await lane.result('stuck')).toMatchObject({
      status: 'done',
      attempts: [{ outcome: 'ERR_BATCH_EXPIRED' }, {}],
    })
  })

  test('cancelled by a person: the results say so, and nothing goes again', async () => {
    lane.gemini.batches.order({ end: 'STUCK' })
    await lane.send({ id: 'cancelled' })
    await lane.submit()
    const [key = ''] = await lane.keys('batches/live/')
    await cancelBatch(lane.desk, key.replace(/^.*\/|\.jsonl$/g, ''))
    await lane.run(2)
    expect(await lane.result('cancelled')).toMatchObject({ status: 'failed', error: { code: 'ERR_BATCH_CANCELLED' } })
    expect(lane.paid('cancelled')).toBe(0)
  })

  test('cancelled by a person when it was planned and had no jobs yet: they are cancelled with it', async () => {
    await lane.send({ id: 'watched' })
    const steps = await lane.power.watch(() => lane.submit())
    await lane.run(2)
    const planned = steps.findIndex(step => step.startsWith('UpdateItem batch#')) + 1
    await lane.send({ id: 'planned' })
    await lane.power.cutAfter(planned, () => lane.submit())
    const [key = ''] = await lane.keys('batches/live/')
    expect(await cancelBatch(lane.desk, key.replace(/^.*\/|\.jsonl$/g, ''))).toMatchObject({ step: 'planned' })
    lane.pass(16)
    await lane.run(3)
    expect(await lane.result('planned')).toMatchObject({ status: 'failed', error: { code: 'ERR_BATCH_CANCELLED' } })
    expect(lane.paid('planned')).toBe(0)
  })
})

describe('the creation of a batch', () => {
  test('whose answer is lost is found in the list, and not repeated', async () => {
    const before = lane.gemini.batches.all().length
    lane.gemini.batches.order({ create: 'cut' })
    await lane.send({ id: 'cut' })
    await lane.run(3)
    expect(batchesSince(before)).toBe(1)
    expect(await lane.result('cut')).toMatchObject({ status: 'done' })
  })

  test('that Google puts off with a 429 is tried again with the same file', async () => {
    const before = lane.gemini.batches.all().length
    lane.gemini.batches.order({ create: 'busy' })
    await lane.send({ id: 'busy' })
    await lane.run(3)
    expect(batchesSince(before)).toBe(1)
    expect(await lanesOf('busy')).toEqual(['batch'])
  })
})

describe('batches', () => {
  test('are no larger than the settings allow', async () => {
    const before = lane.gemini.batches.all().length
    await lane.settings({ batch: { rows: 2 } })
    for (const n of [1, 2, 3, 4, 5]) await lane.send({ id: `limit.${n}` })
    await lane.submit()
    expect(
      lane.gemini.batches
        .all()
        .slice(before)
        .map(({ rows }) => rows),
    ).toEqual([2, 2, 1])
    await lane.run(2)
    await lane.settings({ batch: { tokens: 5 } })
    for (const n of [1, 2]) await lane.send({ id: `tokens.${n}`, prompt: 'as long as the tokens allow' })
    const then = lane.gemini.batches.all().length
    await lane.submit()
    expect(batchesSince(then)).toBe(1)
    await lane.run(3)
    expect(batchesSince(then)).toBe(2)
    await lane.settings({})
  })

  test('of two submits at once are made by one', async () => {
    const before = lane.gemini.batches.all().length
    await lane.send({ id: 'once' })
    await Promise.all([lane.submit(), lane.submit(), lane.submit()])
    expect(batchesSince(before)).toBe(1)
    await lane.run(2)
    expect(lane.paid('once')).toBe(1)
  })

  test('go on where they stopped when the function’s time is up', async () => {
    for (const n of [1, 2, 3]) await lane.send({ id: `slow.${n}` })
    await lane.submit()
    await lane.gemini.batches.finish()
    await lane.submit()
    const id = lane.batches.shift() ?? ''
    lane.batches.length = 0
    // Less than a row needs: nothing is begun, and the batch is on the queue again.
    await lane.collect(id, 0.1)
    expect(lane.batches).toEqual([id])
    expect(await lane.row('slow.1')).toMatchObject({ status: 'batched' })
    await lane.deliver()
    for (const n of [1, 2, 3]) expect(await lane.row(`slow.${n}`)).toMatchObject({ status: 'done' })
  })

  test('take no message of theirs for another: a job’s message that comes again changes nothing', async () => {
    await lane.send({ id: 'again' })
    expect(await lane.send({ id: 'again' })).toEqual({ id: 'again', status: 'batched' })
    await lane.submit()
    expect(await lane.send({ id: 'again' })).toEqual({ id: 'again', status: 'batched' })
    await lane.run(2)
    expect(lane.paid('again')).toBe(1)
  })
})
