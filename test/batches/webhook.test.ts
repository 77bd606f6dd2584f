import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { signWebhook } from '../../infra/local/gemini/webhooks.ts'
import { type Lane, openLane } from '../helpers/batch-lane.ts'

const SECRET = `whsec_${Buffer.from('a secret that nobody knows').toString('base64')}`

let lane: Lane
let name = ''
beforeAll(async () => {
  lane = await openLane()
  await lane.send({ id: 'called' })
  await lane.submit()
  name = `batches/${lane.gemini.batches.all()[0]?.id}`
})
afterAll(() => lane.close())
beforeEach(() => {
  lane.batches.length = 0
})

let count = 0
type Wish = { data?: string; ageMs?: number; secret?: string; id?: string }
/** A call as Google would make it, but for what is wished otherwise. */
function call({ data = name, ageMs = 0, secret = SECRET, id }: Wish = {}) {
  count += 1
  const body = JSON.stringify({ type: 'batch.succeeded', version: 'v1', timestamp: 'now', data: { id: data } })
  return { headers: signWebhook({ id: id ?? `msg_${count}`, body, secret, now: lane.now() - ageMs }), body }
}
const answer = async (event: object) => (await lane.webhook(event, SECRET)).statusCode

test('a signed call puts its batch on the queue', async () => {
  expect(await answer(call())).toBe(200)
  expect(lane.batches).toHaveLength(1)
})

test('a body that came as base64 is checked as the bytes that it stands for', async () => {
  const { headers, body } = call()
  expect(await answer({ headers, body: Buffer.from(body).toString('base64'), isBase64Encoded: true })).toBe(200)
  expect(lane.batches).toHaveLength(1)
})

test('one of several signatures is enough, and headers count in any case', async () => {
  const { headers, body } = call()
  const signed = { ...headers, 'webhook-signature': `v1,AAAA v2,BBBB ${headers['webhook-signature']}` }
  const loud = Object.fromEntries(Object.entries(signed).map(([key, value]) => [key.toUpperCase(), value]))
  expect(await answer({ headers: loud, body })).toBe(200)
  expect(lane.batches).toHaveLength(1)
})

const noSecret = 'whsec_'
test.for<[string, () => object]>([
  ['forged with another secret', () => call({ secret: `whsec_${Buffer.from('another').toString('base64')}` })],
  ['forged with an empty secret', () => call({ secret: noSecret })],
  ['six minutes old', () => call({ ageMs: 360_000 })],
  ['from six minutes ahead', () => call({ ageMs: -360_000 })],
  ['with a body that was changed', () => ({ ...call(), body: call().body.replace('succeeded', 'failed') })],
  ['with a body that was cut off', () => ({ ...call(), body: call().body.slice(0, -10) })],
  [
    'signed, but no JSON',
    () => ({ headers: signWebhook({ id: 'x', body: '{', secret: SECRET, now: lane.now() }), body: '{' }),
  ],
  ['signed under another id', () => ({ ...call(), headers: { ...call().headers, 'webhook-id': 'other' } })],
  ['without a signature', () => ({ headers: { 'webhook-id': 'a', 'webhook-timestamp': '1' }, body: call().body })],
  ['without anything', () => ({})],
])('a call %s gets 401 and no work', async ([, event]) => {
  expect(await answer(event())).toBe(401)
  expect(lane.batches).toEqual([])
})

test('a call that comes again gets 200 and no work', async () => {
  const event = call({ id: 'msg_repeated' })
  expect([await answer(event), await answer(event)]).toEqual([200, 200])
  expect(lane.batches).toHaveLength(1)
})

test('a call for a batch that is not ours gets 200 and no work', async () => {
  expect(await answer(call({ data: 'batches/somebody-elses' }))).toBe(200)
  expect(lane.batches).toEqual([])
})

test('a call for a batch that is not over changes nothing but a look at it', async () => {
  expect(await answer(call())).toBe(200)
  await lane.deliver()
  expect(await lane.row('called')).toMatchObject({ status: 'batched' })
})
