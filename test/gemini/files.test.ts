import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Gemini, startGemini } from '../../infra/local/gemini/server.ts'
import { createGeminiFiles } from '../../lib/gemini/files.ts'
import { caught } from '../helpers/caught.ts'
import { startCuttingProxy } from '../helpers/cutting-proxy.ts'

const MIB = 2 ** 20
const PIECE = 8 * MIB
let gemini: Gemini
let time = Date.parse('2026-11-21T20:00:00Z')
beforeAll(async () => {
  gemini = await startGemini({ now: () => time })
})
afterAll(() => gemini.close())

type Send = typeof fetch
const open = (send: Send = fetch, { key = 'stand-in', baseUrl = gemini.baseUrl } = {}) => {
  const seen = { forgot: 0 }
  const forget = () => {
    seen.forgot += 1
  }
  const apiKey = { read: async () => key, forget }
  return Object.assign(createGeminiFiles({ apiKey, baseUrl, fetch: send, now: () => time }), { seen })
}
const plenty = () => 300_000
/** Enough to begin, and none to wait. */
const noRetry = () => 1

/** Bytes that differ from place to place, in chunks as S3 sends them. */
function source(sizeBytes: number, chunkBytes = 64 * 1024 + 7) {
  const bytes = Buffer.alloc(sizeBytes)
  for (let at = 0; at + 4 <= sizeBytes; at += 4) bytes.writeUInt32LE((at * 2654435761) >>> 0, at)
  async function* stream() {
    for (let at = 0; at < sizeBytes; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
  }
  return { bytes, upload: { mimeType: 'image/png', sizeBytes, stream } }
}

async function kept(name: string): Promise<Buffer> {
  const response = await fetch(`${gemini.baseUrl}/v1beta/${name}:download?alt=media&key=stand-in`)
  return Buffer.from(await response.arrayBuffer())
}

const commandOf = (init: RequestInit | undefined) => new Headers(init?.headers).get('x-goog-upload-command') ?? ''

describe('a file arrives as it was, in pieces of 8 MiB', () => {
  test.each<[string, number, string[]]>([
    ['of a few bytes', 10, ['upload, finalize']],
    ['of one piece', PIECE, ['upload, finalize']],
    ['of a piece and a byte', PIECE + 1, ['upload', 'upload, finalize']],
    ['of two and a half', 2.5 * PIECE, ['upload', 'upload', 'upload, finalize']],
  ])('%s', async (_, sizeBytes, commands) => {
    const { bytes, upload } = source(sizeBytes)
    const seen: string[] = []
    const files = open((url, init) => {
      seen.push(commandOf(init))
      return fetch(url, init)
    })
    const file = await files.upload(upload, plenty)
    expect(seen).toEqual(['start', ...commands])
    expect(file).toEqual({
      name: expect.stringMatching(/^files\//),
      uri: `${gemini.baseUrl}/v1beta/${file.name}`,
      expiresAt: time + 48 * 3_600_000,
    })
    expect((await kept(file.name)).equals(bytes)).toBe(true)
  })
})

describe('an upload that breaks off goes on where Google stands', () => {
  /** Loses one call of a kind, before Google has it or after. */
  function losing(command: string, when: 'before' | 'after') {
    const seen: string[] = []
    let lost = false
    const send: Send = async (url, init) => {
      const given = commandOf(init)
      seen.push(given)
      const isLost = !lost && given === command
      lost ||= isLost
      if (isLost && when === 'before') throw new TypeError('fetch failed')
      const response = await fetch(url, init)
      if (isLost) throw new TypeError('terminated')
      return response
    }
    return { send, seen }
  }

  test.each<[string, string, 'before' | 'after', string[]]>([
    ['a piece that never arrived is sent again', 'upload', 'before', ['upload', 'query', 'upload', 'upload, finalize']],
    ['a piece that arrived is not', 'upload', 'after', ['upload', 'query', 'upload, finalize']],
    ['the last piece, too', 'upload, finalize', 'before', ['upload', 'upload, finalize', 'query', 'upload, finalize']],
    ['the last answer is asked for again', 'upload, finalize', 'after', ['upload', 'upload, finalize', 'query']],
    ['the start is repeated', 'start', 'before', ['start', 'upload', 'upload, finalize']],
  ])('%s', async (_, command, when, commands) => {
    const { bytes, upload } = source(PIECE + 5 * MIB)
    const { send, seen } = losing(command, when)
    const { name } = await open(send).upload(upload, plenty)
    expect(seen).toEqual(['start', ...commands])
    expect((await kept(name)).equals(bytes)).toBe(true)
  })

  test('a connection that is cut in the middle of a piece', async () => {
    using proxy = await startCuttingProxy(gemini.baseUrl, 3 * MIB)
    const { bytes, upload } = source(2 * PIECE)
    const toProxy: Send = (url, init) => fetch(String(url).replace(gemini.baseUrl, proxy.baseUrl), init)
    const { name } = await open(toProxy).upload(upload, plenty)
    expect(proxy.cuts).toBe(1)
    expect((await kept(name)).equals(bytes)).toBe(true)
  })

  test('half a piece that arrived is not sent twice', async () => {
    const bodies: [string, number | undefined][] = []
    const answers = [
      Response.json({}, { headers: { 'x-goog-upload-url': 'http://upload' } }),
      new Response('busy', { status: 503 }),
      Response.json({}, { headers: { 'x-goog-upload-status': 'active', 'x-goog-upload-size-received': '524288' } }),
      Response.json({ file: { name: 'files/a', uri: 'u' } }, { headers: { 'x-goog-upload-status': 'final' } }),
    ]
    const files = open(async (_, init) => {
      bodies.push([new Headers(init?.headers).get('x-goog-upload-offset') ?? '', (init?.body as Uint8Array)?.length])
      return answers.shift() as Response
    })
    expect(await files.upload(source(MIB).upload, plenty)).toMatchObject({ name: 'files/a' })
    expect(bodies.slice(1)).toEqual([
      ['0', MIB],
      ['', undefined],
      ['524288', MIB / 2],
    ])
  })
})

describe('what an upload ends with when it fails', () => {
  const start = { headers: { 'x-goog-upload-url': 'http://upload' } }
  const answering = (...answers: (() => Response)[]): Send => {
    let at = 0
    return async () => (answers[Math.min(at++, answers.length - 1)] as () => Response)()
  }
  const refuse = (status: number, message: string) => () => Response.json({ error: { message } }, { status })

  test('an upload that Google has forgotten is no retired model: time mends it', async () => {
    const files = open(answering(() => Response.json({}, start), refuse(404, 'Requested entity was not found.')))
    expect(await caught(() => files.upload(source(10).upload, noRetry))).toMatchObject({
      code: 'ERR_GEMINI_UNAVAILABLE',
    })
  })

  test('bytes that came twice are not the job’s fault', async () => {
    const files = open(answering(() => Response.json({}, start), refuse(400, 'Upload offset 5 does not match')))
    expect(await caught(() => files.upload(source(10).upload, noRetry))).toMatchObject({ remedy: 'wait' })
  })

  test('a file that Google refuses from the start is', async () => {
    const files = open(answering(refuse(400, 'File size exceeds the limit')))
    expect(await caught(() => files.upload(source(10).upload, plenty))).toMatchObject({
      code: 'ERR_GEMINI_REQUEST',
      message: expect.stringContaining('File size exceeds the limit'),
    })
  })

  test('a wrong key is forgotten, so that a rotated one mends itself', async () => {
    const files = open(fetch, { key: 'wrong' })
    expect(await caught(() => files.upload(source(10).upload, plenty))).toMatchObject({ code: 'ERR_GEMINI_KEY' })
    expect(files.seen.forgot).toBe(1)
  })

  test('what the source throws is thrown as it is', async () => {
    const fault = new Error('S3 broke off')
    async function* stream(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(10)
      throw fault
    }
    expect(await caught(() => open().upload({ mimeType: 'image/png', sizeBytes: 20, stream }, plenty))).toBe(fault)
  })

  test('a source that ends early does not become a file', async () => {
    const { upload } = source(10)
    expect(await caught(() => open().upload({ ...upload, sizeBytes: 20 }, noRetry))).toMatchObject({
      code: expect.stringMatching(/^ERR_GEMINI_/),
    })
  })

  test('no piece is begun when the function’s time is up', async () => {
    expect(await caught(() => open().upload(source(10).upload, () => 0))).toMatchObject({ code: 'ERR_TIME_SHORT' })
  })
})

describe('a file that is no longer needed', () => {
  test('is deleted, and deleting it again is no fault', async () => {
    const files = open()
    const { name } = await files.upload(source(10).upload, plenty)
    await files.remove(name)
    await files.remove(name)
    expect((await fetch(`${gemini.baseUrl}/v1beta/${name}?key=stand-in`)).status).toBe(403)
  })

  test('that cannot be deleted says why', async () => {
    const files = open(async () => new Response('busy', { status: 503 }))
    expect(await caught(() => files.remove('files/a'))).toMatchObject({ code: 'ERR_GEMINI_UNAVAILABLE' })
  })

  test('expires after two days, as was said', async () => {
    const { name, expiresAt } = await open().upload(source(10).upload, plenty)
    time = expiresAt - 1
    expect((await fetch(`${gemini.baseUrl}/v1beta/${name}?key=stand-in`)).status).toBe(200)
    time = expiresAt
    expect((await fetch(`${gemini.baseUrl}/v1beta/${name}?key=stand-in`)).status).toBe(403)
  })
})
