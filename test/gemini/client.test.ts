import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { EditError } from '../../lib/errors.ts'
import { createGemini } from '../../lib/gemini/client.ts'
import { caught } from '../helpers/caught.ts'

const KEY = 'AIza-a-very-secret-key'
const NOW = Date.parse('2026-11-21T20:00:00Z')
const request = { model: 'gemini-nano-banana-2.1', contents: [{ role: 'user', parts: [{ text: 'a cup' }] }] }
const reply = JSON.stringify({
  candidates: [{ content: { role: 'model', parts: [{ text: 'Here.' }] }, finishReason: 'STOP' }],
  unknownField: { kept: true },
})

type Answer = (request: IncomingMessage, response: ServerResponse) => void
const servers: Server[] = []
const bodies: string[] = []
const requests: IncomingMessage[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  bodies.length = 0
  requests.length = 0
})

/** A server in Google's place that answers as it is told; what it was asked is in `requests` and `bodies`. */
async function serve(answer: Answer): Promise<string> {
  const server = createServer((incoming, response) => {
    requests.push(incoming)
    const chunks: Buffer[] = []
    incoming.on('data', chunk => chunks.push(chunk as Buffer))
    incoming.on('end', () => {
      bodies.push(Buffer.concat(chunks).toString())
      answer(incoming, response)
    })
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const respond =
  (status: number, body: string, headers: Record<string, string> = {}): Answer =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)

function ask(baseUrl: string, timeoutMs = 5000) {
  const apiKey = { read: vi.fn(async () => KEY), forget: vi.fn() }
  const gemini = createGemini({ apiKey, baseUrl, now: () => NOW })
  return { apiKey, generate: () => gemini.generate(request, { timeoutMs }) }
}

describe('a reply', () => {
  test('comes back as it came, with what the SDK does not know', async () => {
    const { generate } = ask(await serve(respond(200, reply)))
    expect(await generate()).toEqual({ text: reply, json: JSON.parse(reply) })
  })

  test('may be compressed, may be long, may have umlauts cut between two packets', async () => {
    const long = JSON.stringify({ candidates: [], filler: 'ä'.repeat(3_000_000) })
    const zipped = gzipSync(long)
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      response.write(zipped.subarray(0, 1001))
      response.end(zipped.subarray(1001))
    })
    expect((await ask(url).generate()).text).toBe(long)
  })

  test('is asked for once, at v1beta, with the key in a header and nowhere else', async () => {
    const { generate, apiKey } = ask(await serve(respond(200, reply)))
    await generate()
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /v1beta/models/gemini-nano-banana-2.1:generateContent',
    ])
    expect(requests[0]?.headers['x-goog-api-key']).toBe(KEY)
    expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ contents: request.contents })
    expect(apiKey.forget).not.toHaveBeenCalled()
  })

  test('that ends with CONTINUATION is not continued behind our back: each call is billed', async () => {
    const unfinished = JSON.stringify({
      candidates: [{ content: { parts: [{ text: 'a' }] }, finishReason: 'CONTINUATION', continuationToken: 'go-on' }],
    })
    const answers = [unfinished, reply]
    const url = await serve((_, response) => respond(200, answers.shift() ?? '')(_, response))
    const { generate } = ask(url)
    expect((await generate()).text).toBe(unfinished)
    expect(requests).toHaveLength(1)
  })

  test('goes through the fetch that was given', async () => {
    const fetch = vi.fn(async () => new Response(reply))
    const gemini = createGemini({ apiKey: { read: async () => KEY, forget() {} }, fetch })
    expect((await gemini.generate(request, { timeoutMs: 1000 })).text).toBe(reply)
    expect(fetch).toHaveBeenCalledTimes(1)
    expect(String((fetch.mock.calls as unknown[][])[0]?.[0])).toMatch(
      /^https:\/\/generativelanguage\.googleapis\.com\/v1beta\//,
    )
  })
})

describe('an answer that is no reply says whose move it is, after one call', () => {
  const google = (code: number, status: string, details: object[] = []) =>
    JSON.stringify({ error: { code, status, message: 'Google’s own words.', details } })
  test.each<[number, string, Record<string, string>, string, number | undefined]>([
    [400, google(400, 'INVALID_ARGUMENT'), {}, 'ERR_GEMINI_REQUEST', undefined],
    [400, google(400, 'INVALID_ARGUMENT', [{ reason: 'API_KEY_INVALID' }]), {}, 'ERR_GEMINI_KEY', undefined],
    [400, google(400, 'FAILED_PRECONDITION'), {}, 'ERR_GEMINI_ACCOUNT', undefined],
    [401, google(401, 'UNAUTHENTICATED'), {}, 'ERR_GEMINI_KEY', undefined],
    [403, google(403, 'PERMISSION_DENIED'), {}, 'ERR_GEMINI_KEY', undefined],
    [404, google(404, 'NOT_FOUND'), {}, 'ERR_MODEL_GONE', undefined],
    [408, '', {}, 'ERR_GEMINI_UNAVAILABLE', undefined],
    [429, google(429, 'RESOURCE_EXHAUSTED', [{ retryDelay: '7s' }]), {}, 'ERR_GEMINI_RATE', 7000],
    [429, google(429, 'RESOURCE_EXHAUSTED'), { 'retry-after': '30' }, 'ERR_GEMINI_RATE', 30_000],
    [429, google(429, 'R', [{ violations: [{ quotaId: 'PerDay' }] }]), {}, 'ERR_GEMINI_QUOTA_DAY', 43_200_000],
    [500, google(500, 'INTERNAL'), {}, 'ERR_GEMINI_UNAVAILABLE', undefined],
    [502, '<html>Bad gateway</html>', {}, 'ERR_GEMINI_UNAVAILABLE', undefined],
    [503, google(503, 'UNAVAILABLE'), { 'retry-after': '5' }, 'ERR_GEMINI_UNAVAILABLE', 5000],
    [504, '', {}, 'ERR_GEMINI_UNAVAILABLE', undefined],
  ])('%d %s %j: %s', async (status, body, headers, code, retryAfterMs) => {
    const { generate } = ask(await serve(respond(status, body, headers)))
    const error = await caught(generate)
    expect(error).toBeInstanceOf(EditError)
    expect(error).toMatchObject({ code, retryAfterMs })
    if (body.includes('own words')) expect((error as Error).message).toContain('Google’s own words.')
    expect(requests).toHaveLength(1)
  })
})

describe('a body that is no JSON object is trouble on the way, not a bug', () => {
  test.each([
    ['', 'ERR_GEMINI_BROKE_OFF'],
    ['null', 'ERR_GEMINI_BROKE_OFF'],
    ['"OK"', 'ERR_GEMINI_BROKE_OFF'],
    ['{"candidates": [', 'ERR_GEMINI_BROKE_OFF'],
    ['<html>Sign in to the hotel’s network</html>', 'ERR_GEMINI_UNAVAILABLE'],
  ])('%j: %s', async (body, code) => {
    const { generate } = ask(await serve(respond(200, body)))
    expect(await caught(generate)).toMatchObject({
      code,
      message: `Gemini answers with ${body.length} characters that are no JSON object`,
    })
    expect(requests).toHaveLength(1)
  })
})

describe('the way to Gemini', () => {
  test('refused: nothing was billed', async () => {
    const url = await serve(() => {})
    servers[0]?.close()
    expect(await caught(ask(url).generate)).toMatchObject({
      code: 'ERR_GEMINI_UNAVAILABLE',
      message: 'Gemini cannot be reached: ECONNREFUSED',
    })
  })

  test('to a name that does not exist', async () => {
    expect(await caught(ask('http://gemini.invalid').generate)).toMatchObject({ code: 'ERR_GEMINI_UNAVAILABLE' })
  })

  test('reset before an answer: Google may have worked, and may bill', async () => {
    const { generate } = ask(await serve(({ socket }) => socket.resetAndDestroy()))
    expect(await caught(generate)).toMatchObject({ code: 'ERR_GEMINI_BROKE_OFF' })
    expect(requests).toHaveLength(1)
  })

  test.each(['reset', 'closed'])('%s in the middle of an answer: that one may be billed', async how => {
    const url = await serve(({ socket }, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
      response.write(reply.slice(0, 20), () => (how === 'reset' ? socket.resetAndDestroy() : socket.end()))
    })
    const error = await caught(ask(url).generate)
    expect(error).toMatchObject({ code: 'ERR_GEMINI_BROKE_OFF' })
    expect((error as Error).message).toMatch(/^Gemini's answer \(200\) broke off: ./)
    expect(requests).toHaveLength(1)
  })

  test.each<[string, Answer]>([
    ['that never answers', () => {}],
    [
      'that stops in the middle of an answer',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.write(reply.slice(0, 20))
      },
    ],
  ])('%s is given up in time', async (_, answer) => {
    const error = await caught(ask(await serve(answer), 1000).generate)
    expect(error).toMatchObject({ code: 'ERR_GEMINI_TIMEOUT', message: 'Gemini did not answer within 1 s' })
    expect(requests).toHaveLength(1)
  })
})

describe('the key', () => {
  test.each<[string, Answer, number?]>([
    ['a wrong key', respond(403, '{"error":{"message":"denied"}}')],
    ['an overload', respond(503, '')],
    ['no JSON', respond(200, 'no')],
    ['a reset', ({ socket }) => socket.resetAndDestroy()],
    ['a time-out', () => {}, 30],
  ])('is in no error: %s', async (_, answer, timeoutMs) => {
    const error = await caught(ask(await serve(answer), timeoutMs).generate)
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(KEY)
    expect((error as Error).stack).not.toContain(KEY)
    expect(JSON.stringify(error)).not.toContain(KEY)
  })

  test('is forgotten when Google finds it wrong, read again, and not tried twice', async () => {
    const { generate, apiKey } = ask(await serve(respond(401, '{}')))
    await caught(generate)
    expect([apiKey.read.mock.calls.length, apiKey.forget.mock.calls.length]).toEqual([2, 1])
    expect(requests).toHaveLength(1)
  })

  test('that was rotated while the function slept is read again, and the call is made with the new one', async () => {
    const answers = [respond(401, '{}'), respond(200, reply)]
    const { generate, apiKey } = ask(await serve((...exchange) => answers.shift()?.(...exchange)))
    apiKey.read.mockResolvedValueOnce('old').mockResolvedValueOnce('new')
    expect((await generate()).text).toBe(reply)
    expect(requests.map(({ headers }) => headers['x-goog-api-key'])).toEqual(['old', 'new'])
  })

  test('is kept when something else is wrong', async () => {
    const { generate, apiKey } = ask(await serve(respond(429, '{}')))
    await caught(generate)
    expect(apiKey.forget).not.toHaveBeenCalled()
  })

  test('that cannot be read ends the call before it is made, and leaves no clock running', async () => {
    const denied = new EditError('ERR_AWS_FORBIDDEN', 'no parameter for you')
    const fetch = vi.fn()
    const gemini = createGemini({ apiKey: { read: () => Promise.reject(denied), forget() {} }, fetch })
    const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
    const before = timers()
    expect(await caught(() => gemini.generate(request, { timeoutMs: 300_000 }))).toBe(denied)
    expect(timers()).toBe(before)
    expect(fetch).not.toHaveBeenCalled()
  })
})

test('a bug of ours stays a bug', async () => {
  const bug = new TypeError("Cannot read properties of undefined (reading 'parts')")
  const apiKey = { read: async () => KEY, forget() {} }
  const gemini = createGemini({ apiKey, fetch: () => Promise.reject(bug) })
  expect(await caught(() => gemini.generate(request, { timeoutMs: 1000 }))).not.toBeInstanceOf(EditError)
})
