import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GoogleGenAI } from '@google/genai/node'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { BatchOrder } from '../../infra/local/gemini/batches.ts'
import { type Gemini, startGemini } from '../../infra/local/gemini/server.ts'
import { createGeminiBatches } from '../../lib/gemini/batches.ts'
import { DEFAULT_MODEL } from '../../lib/models.ts'
import { bodyOf, clientOf, jsonOf, refusal } from './gemini-client.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
let gemini: Gemini
let ai: ReturnType<typeof clientOf>
let nowMs = Date.UTC(2026, 10, 21)
beforeAll(async () => {
  gemini = await startGemini({ now: () => nowMs, sleep: () => new Promise(() => {}) })
  ai = clientOf(gemini)
})
afterAll(() => gemini.close())
beforeEach(() => {
  gemini.batches.clear()
  gemini.batches.orderRows({ row: 'small' })
})

async function upload(...keys: string[]): Promise<string> {
  const request = { contents: [{ parts: [{ text: 'a lake' }] }] }
  const lines = keys.map(key => `${JSON.stringify({ key, request })}\n`)
  const file = await ai.files.upload({ file: new Blob(lines), config: { mimeType: 'jsonl' } })
  return file.name ?? ''
}
async function create(order: BatchOrder = {}, displayName = 'ours') {
  gemini.batches.order(order)
  const src = await upload('one', 'two')
  const { name = '' } = await ai.batches.create({ model: DEFAULT_MODEL, src, config: { displayName } })
  return { name, state: async () => (await ai.batches.get({ name })).state }
}
/** The batch as it goes over the wire: the SDK drops its error and its counts. */
const rawOf = async (name: string) => jsonOf(await fetch(`${gemini.baseUrl}/v1beta/${name}?key=${gemini.apiKey}`))

test('a batch is pending, runs and succeeds, and its rows can be downloaded until its file is deleted', async () => {
  const { name, state } = await create()
  expect(await state()).toBe('JOB_STATE_PENDING')
  nowMs += 0.5 * MINUTE
  expect(await state()).toBe('JOB_STATE_RUNNING')
  nowMs += MINUTE
  const batch = await ai.batches.get({ name })
  expect(batch).toMatchObject({ name, displayName: 'ours', state: 'JOB_STATE_SUCCEEDED' })
  expect(await rawOf(name)).toMatchObject({ done: true, metadata: { batchStats: { requestCount: '2' } } })
  const file = batch.dest?.fileName ?? ''
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-batch-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  // The SDK for browsers, which the functions have, can't download.
  const { files } = new GoogleGenAI({
    apiKey: gemini.apiKey,
    apiVersion: 'v1beta',
    httpOptions: { baseUrl: gemini.baseUrl },
  })
  await files.download({ file, downloadPath: join(folder, 'rows') })
  const rows = (await readFile(join(folder, 'rows'), 'utf8')).trim().split('\n')
  // In another order than they came in: Google promises none.
  expect(rows.map(row => JSON.parse(row))).toMatchObject([
    { key: 'two', response: { candidates: [{}] } },
    { key: 'one', response: { candidates: [{}] } },
  ])
  await ai.files.delete({ name: file })
  expect((await refusal(ai.files.get({ name: file }))).status).toBe(403)
})

test.each<[NonNullable<BatchOrder['end']>, { error?: object; hasRows: boolean }]>([
  ['FAILED', { error: { code: 13, message: expect.stringMatching(/failed/i) }, hasRows: false }],
  ['EXPIRED', { error: { code: 13, message: expect.stringMatching(/48 hours/) }, hasRows: false }],
  ['PARTIALLY_SUCCEEDED', { hasRows: true }],
])('a batch may end %s', async (end, { error, hasRows }) => {
  const { name, state } = await create({ end })
  nowMs += MINUTE
  // The SDK knows no partial success of this API, and passes its name on.
  expect(await state()).toBe(end === 'PARTIALLY_SUCCEEDED' ? `BATCH_STATE_${end}` : `JOB_STATE_${end}`)
  const raw = await rawOf(name)
  expect(raw).toMatchObject({ done: true, ...(error && { error }) })
  expect('response' in raw).toBe(hasRows)
  if (!hasRows) return
  const rows = await fetch(
    `${gemini.baseUrl}/v1beta/${raw.response.responsesFile}:download?alt=media&key=${gemini.apiKey}`,
  )
  expect((await rows.text()).trim().split('\n')).toHaveLength(1)
})

test('a batch that is stuck stays pending, until it is cancelled; then it can’t be cancelled again', async () => {
  const { name, state } = await create({ end: 'STUCK' })
  nowMs += 47 * HOUR
  expect(await state()).toBe('JOB_STATE_PENDING')
  await ai.batches.cancel({ name })
  expect(await state()).toBe('JOB_STATE_CANCELLED')
  expect(await rawOf(name)).not.toHaveProperty('response')
  expect(bodyOf(await refusal(ai.batches.cancel({ name })))).toMatchObject({ code: 400, status: 'FAILED_PRECONDITION' })
})

test('a batch that was deleted is known no more', async () => {
  const { name } = await create()
  await ai.batches.delete({ name })
  expect((await refusal(ai.batches.get({ name }))).status).toBe(404)
  expect((await refusal(ai.batches.cancel({ name }))).status).toBe(404)
})

test('the list has every batch, the newest first, a page at a time', async () => {
  for (const n of [1, 2, 3, 4, 5]) await create({}, `page.${n}`)
  const names: (string | undefined)[] = []
  for await (const { displayName } of await ai.batches.list({ config: { pageSize: 2 } })) names.push(displayName)
  expect(names.slice(0, 5)).toEqual([5, 4, 3, 2, 1].map(n => `page.${n}`))
  expect(names).toHaveLength(gemini.batches.all().length)
})

test('a batch is found by our name on whichever page it is, and none is when there is none', async () => {
  const pages: string[] = []
  const google = createGeminiBatches({
    apiKey: { read: async () => gemini.apiKey, forget() {} },
    baseUrl: gemini.baseUrl,
    fetch: (url, init) => {
      pages.push(String(url))
      return fetch(String(url).replace('pageSize=100', 'pageSize=3'), init)
    },
  })
  const { name } = await create({}, 'oldest & last')
  for (const n of [1, 2, 3, 4, 5, 6]) await create({}, `newer.${n}`)
  expect(await google.find('oldest & last')).toMatchObject({ name })
  expect(pages).toHaveLength(3)
  expect(await google.find('nobody')).toBeUndefined()
})

describe('a creation', () => {
  const ask = (src: string, model = DEFAULT_MODEL) => ai.batches.create({ model, src, config: { displayName: 'x' } })

  test('is refused for a model or a file that there is not, and for an unknown field', async () => {
    const src = await upload('one')
    expect((await refusal(ask(src, 'gemini-0'))).status).toBe(404)
    expect((await refusal(ask('files/nothing'))).status).toBe(403)
    const url = `${gemini.baseUrl}/v1beta/models/${DEFAULT_MODEL}:batchGenerateContent?key=${gemini.apiKey}`
    const body = JSON.stringify({ batch: { displayName: 'x', input_file: src } })
    expect((await fetch(url, { method: 'POST', body })).status).toBe(400)
  })

  test('is put off with a 429 while a hundred are on their way', async () => {
    const src = await upload('one')
    await gemini.batches.finish()
    for (let n = 0; n < 100; n += 1) await ask(src)
    expect((await refusal(ask(src))).status).toBe(429)
    await gemini.batches.finish()
    await ask(src)
  })

  test('whose answer is lost has been all the same', async () => {
    gemini.batches.order({ create: 'cut' })
    const before = gemini.batches.all().length
    await expect(ask(await upload('one'))).rejects.toThrow(/fetch failed/)
    expect(gemini.batches.all().length - before).toBe(1)
  })
})
