import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ROWS } from '../../infra/local/gemini/batch-rows.ts'
import { type Lane, openLane } from '../helpers/batch-lane.ts'

type RowName = keyof typeof ROWS
type End = { status: 'done' | 'failed'; code?: string; paid: number; lane: 'batch' | 'now'; attempts: string[] }

const done = (...attempts: string[]): End => ({ status: 'done', paid: 1, lane: 'batch', attempts })

/** What a job comes to whose first row is of this kind; the stand-in's own answers count as paid. */
const ENDS: Record<RowName, End> = {
  unavailable: done('ERR_GEMINI_UNAVAILABLE', 'reply'),
  exhausted: done('ERR_GEMINI_RATE', 'reply'),
  invalid: { status: 'failed', code: 'ERR_GEMINI_REQUEST', paid: 0, lane: 'batch', attempts: ['ERR_GEMINI_REQUEST'] },
  'model-gone': { status: 'done', paid: 1, lane: 'now', attempts: ['ERR_MODEL_GONE', 'reply'] },
  garbage: done('ERR_BATCH_ROW_LOST', 'reply'),
  neither: done('ERR_GEMINI_UNAVAILABLE', 'reply'),
  twice: done('reply'),
  'unknown-key': done('reply'),
  missing: done('ERR_BATCH_ROW_LOST', 'reply'),
  'thirty-megabytes': done('reply'),
  small: { ...done('reply'), paid: 0 },
}

let lane: Lane
beforeAll(async () => {
  lane = await openLane()
})
afterAll(() => lane.close())

describe('one result file with every kind of row', () => {
  const names = Object.keys(ENDS) as RowName[]
  const idOf = (name: RowName) => `row.${name}`

  beforeAll(async () => {
    for (const row of names) {
      lane.gemini.batches.orderRows({ row, includes: `<${idOf(row)}>`, times: 1 })
      await lane.send({ id: idOf(row) })
    }
    for (const reply of ['IMAGE_SAFETY', 'NO_IMAGE'] as const) {
      lane.gemini.control.reply({ reply, times: 1, match: { promptIncludes: `<reply.${reply}>` } })
      await lane.send({ id: `reply.${reply}` })
    }
    await lane.run(4)
    expect(lane.gemini.batches.all()).toHaveLength(2)
  }, 60_000)

  test.for(names)('%s: its job ends once', async name => {
    const { status, code, paid, lane: by, attempts } = ENDS[name]
    const id = idOf(name)
    const result = await lane.result(id)
    expect(result).toMatchObject({ status, cost: { lane: by } })
    expect(result?.error?.code).toBe(code)
    expect(result?.attempts.map(({ outcome }) => outcome)).toEqual(attempts)
    expect(lane.paid(id)).toBe(paid)
    expect(lane.published.filter(other => other === id)).toHaveLength(1)
    expect(await lane.row(id)).toMatchObject({ status })
  })

  test('a refused row refuses its job, and is never asked for again', async () => {
    expect(await lane.result('reply.IMAGE_SAFETY')).toMatchObject({
      status: 'refused',
      error: { code: 'ERR_REPLY_BLOCKED' },
      cost: { lane: 'batch' },
    })
    expect(lane.paid('reply.IMAGE_SAFETY')).toBe(1)
  })

  test('a row without a picture is tried in the next batch, and both are in the bill', async () => {
    const result = await lane.result('reply.NO_IMAGE')
    expect(result).toMatchObject({ status: 'done', attempts: [{ outcome: 'reply' }, { outcome: 'reply' }] })
    const [first, second] = result?.attempts ?? []
    expect(first?.batch).not.toBe(second?.batch)
    expect(lane.paid('reply.NO_IMAGE')).toBe(2)
  })

  test('nothing is left lying about, here or at Google', async () => {
    expect(await lane.keys('batches/open/')).toEqual([])
    expect(await lane.keys('batches/live/')).toEqual([])
    expect(await lane.keys('batches/over/')).toHaveLength(2)
    const files = await fetch(`${lane.gemini.baseUrl}/v1beta/files?key=${lane.gemini.apiKey}`)
    expect(await files.json()).toEqual({ files: [] })
  })
})
