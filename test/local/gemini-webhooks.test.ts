import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import type { BatchOrder } from '../../infra/local/gemini/batches.ts'
import { readWebhook } from '../../lib/gemini/webhook.ts'
import { DEFAULT_MODEL } from '../../lib/models.ts'
import { until } from '../helpers/darkroom.ts'
import { useGemini } from './gemini-client.ts'

const own = useGemini()

type Seen = { headers: Record<string, string | undefined>; body: Buffer }
let seen: Seen[] = []
const receiver = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => {
    seen.push({ headers: request.headers as Seen['headers'], body: Buffer.concat(chunks) })
    response.end()
  })
})
let uri = ''
beforeAll(async () => {
  await new Promise<void>(resolve => receiver.listen(0, '127.0.0.1', resolve))
  uri = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`
})
afterAll(() => void receiver.close())
beforeEach(() => {
  seen = []
})
const ALL = ['batch.succeeded', 'batch.failed', 'batch.expired']
const register = (subscribed_events = ALL) => own.ai.webhooks.create({ name: 'ours', uri, subscribed_events })

/** A batch of no rows, which ends so after a second of a clock that does not wait. */
async function create(end: BatchOrder['end'] = 'SUCCEEDED'): Promise<string> {
  own.gemini.batches.order({ end, runMs: 1000 })
  const { name: src = '' } = await own.ai.files.upload({ file: new Blob(['\n']), config: { mimeType: 'jsonl' } })
  const { name = '' } = await own.ai.batches.create({ model: DEFAULT_MODEL, src, config: { displayName: 'ours' } })
  return name
}

test('a webhook shows its secret once, signs with it, and is silent when it is deleted', async () => {
  const { id = '', new_signing_secret: secret = '' } = await register()
  expect(secret).toMatch(/^whsec_/)
  const { webhooks = [] } = await own.ai.webhooks.list()
  expect(webhooks).toMatchObject([{ id, uri, subscribed_events: ALL }])
  expect(JSON.stringify(webhooks)).not.toContain(secret)
  const name = await create()
  await until('it is called', () => seen.length === 1)
  const [{ headers, body }] = seen as [Seen]
  expect(readWebhook(headers, body, secret, own.nowMs)).toEqual({ id: headers['webhook-id'], batchName: name })
  expect(JSON.parse(body.toString())).toMatchObject({ type: 'batch.succeeded', data: { output_file_uri: /./ } })
  await own.ai.webhooks.delete(id)
  const other = await register()
  onTestFinished(() => void own.gemini.webhooks.remove(other.id ?? ''))
  await create()
  await until('the other is called', () => seen.length > 1)
  const [, call, ...more] = seen as [Seen, Seen]
  expect(readWebhook(call.headers, call.body, other.new_signing_secret ?? '', own.nowMs)).toBeDefined()
  expect(more).toEqual([])
})

test('a webhook hears of the ends that it asked for, and of no cancelling', async () => {
  const { id = '' } = await register(['batch.failed'])
  onTestFinished(() => void own.gemini.webhooks.remove(id))
  for (const end of ['SUCCEEDED', 'EXPIRED', 'FAILED'] as const) await create(end)
  await own.ai.batches.cancel({ name: await create('STUCK') })
  await until('it is called', () => seen.length > 0)
  expect(seen.map(({ body }) => JSON.parse(body.toString()).type)).toEqual(['batch.failed'])
  await expect(register(['batch.cancelled'])).rejects.toMatchObject({ statusCode: 400 })
})
