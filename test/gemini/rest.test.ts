import { describe, expect, test } from 'vitest'
import { createRest, reasonOf } from '../../lib/gemini/rest.ts'
import { caught } from '../helpers/caught.ts'

type Call = { url: string; init: RequestInit }

/** A client whose network answers so, and what it asked. */
function open(
  answer: (init: RequestInit) => Response | Promise<Response>,
  { baseUrl = 'http://google', key = 'k' } = {},
) {
  const seen = { calls: [] as Call[], forgot: 0 }
  const rest = createRest({
    apiKey: {
      read: async () => key,
      forget() {
        seen.forgot += 1
      },
    },
    baseUrl,
    now: () => Date.UTC(2026, 10, 21),
    fetch: async (url, init = {}) => {
      seen.calls.push({ url: String(url), init })
      return answer(init)
    },
  })
  return { ...rest, seen }
}
const refuse = (status: number, error: object, headers = {}) => Response.json({ error }, { status, headers })
const broken = () =>
  new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from('{"name":'))
        controller.error(
          new Error('terminated', { cause: Object.assign(new Error('other side'), { code: 'ECONNRESET' }) }),
        )
      },
    }),
  )

describe('a call', () => {
  test('bears the key, and JSON as what it is', async () => {
    const { json, seen } = open(() => Response.json({ name: 'a' }), { baseUrl: 'http://google/' })
    expect(await json('POST', '/v1beta/batches', { a: 1 })).toEqual({ name: 'a' })
    expect(seen.calls).toMatchObject([
      {
        url: 'http://google/v1beta/batches',
        init: {
          method: 'POST',
          body: '{"a":1}',
          headers: { 'x-goog-api-key': 'k', 'content-type': 'application/json' },
        },
      },
    ])
  })

  test('without a body says nothing of one, and an address that is whole is taken as it is', async () => {
    const { json, seen } = open(() => new Response(''))
    expect(await json('POST', 'http://elsewhere/x')).toEqual({})
    const [{ url, init } = {} as Call] = seen.calls
    expect(url).toBe('http://elsewhere/x')
    expect(init.body).toBeUndefined()
    expect(init.headers).toEqual({ 'x-goog-api-key': 'k' })
  })
})

describe('an answer that is none', () => {
  test.each<[string, () => Response, string, RegExp]>([
    ['a refusal', () => refuse(400, { message: 'no', status: 'INVALID_ARGUMENT' }), 'ERR_GEMINI_REQUEST', /400 .*: no/],
    ['a proxy’s page', () => new Response('<html>', { status: 502 }), 'ERR_GEMINI_UNAVAILABLE', /502/],
    ['a page instead of JSON', () => new Response('<html>'), 'ERR_GEMINI_UNAVAILABLE', /6 characters that are no JSON/],
    ['null', () => new Response('null'), 'ERR_GEMINI_UNAVAILABLE', /no JSON object/],
    ['an array', () => new Response('[]'), 'ERR_GEMINI_UNAVAILABLE', /no JSON object/],
    ['nothing', () => new Response(''), 'ERR_GEMINI_UNAVAILABLE', /0 characters/],
    ['a number', () => new Response('7'), 'ERR_GEMINI_UNAVAILABLE', /no JSON object/],
    ['an answer that breaks off', broken, 'ERR_GEMINI_UNAVAILABLE', /ECONNRESET/],
  ])('%s is an error', async (_, answer, code, message) => {
    const { json } = open(answer)
    expect(await caught(() => json('GET', '/x'))).toMatchObject({ code, message: expect.stringMatching(message) })
  })

  test('says for how long to wait', async () => {
    const { json } = open(() => refuse(429, { message: 'slow' }, { 'retry-after': '7' }))
    expect(await caught(() => json('GET', '/x'))).toMatchObject({ code: 'ERR_GEMINI_RATE', retryAfterMs: 7000 })
  })

  test('that never comes is a time-out', async () => {
    const never = ({ signal }: RequestInit) =>
      new Promise<Response>((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
    expect(await caught(() => open(never).open('/x', { timeoutMs: 5 }))).toMatchObject({ code: 'ERR_GEMINI_TIMEOUT' })
  })

  test('because nobody is there says the innermost reason', async () => {
    const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
    const { json } = open(() => Promise.reject(new TypeError('fetch failed', { cause })))
    expect(await caught(() => json('GET', '/x'))).toMatchObject({
      code: 'ERR_GEMINI_UNAVAILABLE',
      message: 'Gemini cannot be reached: ECONNREFUSED',
    })
    expect([reasonOf('a string'), reasonOf(new Error('own'))]).toEqual(['a string', 'own'])
  })
})

describe('a key', () => {
  test('that is wrong is forgotten; one that is good for all but one file is not', async () => {
    const wrong = open(() => refuse(400, { message: 'x', details: [{ reason: 'API_KEY_INVALID' }] }))
    expect(await caught(() => wrong.json('GET', '/x'))).toMatchObject({ code: 'ERR_GEMINI_KEY' })
    expect(wrong.seen.forgot).toBe(1)
    const lost = open(() => refuse(403, { message: 'You do not have permission to access the File x' }))
    expect(await caught(() => lost.json('GET', '/x'))).toMatchObject({ code: 'ERR_GEMINI_FILE_LOST' })
    expect(lost.seen.forgot).toBe(0)
  })

  test('that was pasted with a line break in it gets into no log', async () => {
    const { json, seen } = open(() => Response.json({}), { key: 'secret\nkey' })
    const error = (await caught(() => json('GET', '/x'))) as Error
    expect(error).toMatchObject({ code: 'ERR_GEMINI_KEY' })
    expect(`${error.message}${String(error.cause)}`).not.toContain('secret')
    expect(seen).toEqual({ calls: [], forgot: 1 })
  })

  test('that was pasted with a line break at its end is good', async () => {
    const { json, seen } = open(() => Response.json({}), { key: 'k\n' })
    await json('GET', '/x')
    expect(seen.calls[0]?.init.headers).toEqual({ 'x-goog-api-key': 'k' })
  })
})
