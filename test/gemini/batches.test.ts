import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Gemini, startGemini } from '../../infra/local/gemini/server.ts'
import { createGeminiBatches } from '../../lib/gemini/batches.ts'
import { caught } from '../helpers/caught.ts'

const MIB = 2 ** 20
let gemini: Gemini
beforeAll(async () => {
  gemini = await startGemini()
})
afterAll(() => gemini.close())

const plenty = () => 300_000
/** Our client, whose network answers in Google's place where `answer` does; and each call's upload command and type. */
function open(answer: (command: string, type: string) => Response | Promise<Response> | undefined = () => undefined) {
  const seen: string[] = []
  const google = createGeminiBatches({
    apiKey: { read: async () => gemini.apiKey, forget() {} },
    baseUrl: gemini.baseUrl,
    fetch: async (url, init) => {
      const headers = new Headers(init?.headers)
      const command = headers.get('x-goog-upload-command') ?? ''
      const type = headers.get('x-goog-upload-header-content-type') ?? ''
      if (command) seen.push(command === 'start' ? type : command)
      return (await answer(command, type)) ?? fetch(url, init)
    },
  })
  return { google, seen }
}
const refuse = () => Response.json({ error: { message: 'Unsupported MIME type' } }, { status: 400 })

/** Lines of a batch, and how often and how far they were read. */
function source(lines: Buffer[]) {
  const read = { times: 0, lines: 0 }
  async function* stream() {
    read.times += 1
    for (const line of lines) {
      read.lines += 1
      yield line
    }
  }
  return { read, stream, sizeBytes: lines.reduce((sum, line) => sum + line.length, 0) }
}

describe('the file of a batch', () => {
  const lines = [1, 2, 3].map(n => Buffer.from(`{"key":"${n}"}\n`))
  const last = 'upload, finalize'

  test.each<[string, string[], string[]]>([
    ['goes up as jsonl', [], ['jsonl', last]],
    ['is offered as another type where that is refused', ['jsonl'], ['jsonl', 'application/jsonl', last]],
    ['and at last as plain text', ['jsonl', 'application/jsonl'], ['jsonl', 'application/jsonl', 'text/plain', last]],
  ])('%s', async (_, refused, calls) => {
    const { google, seen } = open((_, type) => (refused.includes(type) ? refuse() : undefined))
    const { read, stream, sizeBytes } = source(lines)
    const name = await google.upload(sizeBytes, stream, plenty)
    expect(seen).toEqual(calls)
    // No line is fetched for a type that is refused.
    expect(read).toEqual({ times: 1, lines: 3 })
    const found: string[] = []
    for await (const { line } of google.lines(name, 0)) found.push(line)
    expect(found).toEqual(['{"key":"1"}', '{"key":"2"}', '{"key":"3"}'])
  })

  test('that is refused as whatever it goes says so', async () => {
    const { google, seen } = open(refuse)
    const { stream, sizeBytes } = source(lines)
    expect(await caught(() => google.upload(sizeBytes, stream, plenty))).toMatchObject({ code: 'ERR_GEMINI_REQUEST' })
    expect(seen).toEqual(['jsonl', 'application/jsonl', 'text/plain'])
  })

  test('is offered once where it isn’t the type that is wrong', async () => {
    const { google, seen } = open(() => Response.json({ error: { message: 'who?' } }, { status: 401 }))
    const { stream, sizeBytes } = source(lines)
    expect(await caught(() => google.upload(sizeBytes, stream, plenty))).toMatchObject({ code: 'ERR_GEMINI_KEY' })
    expect(seen).toEqual(['jsonl'])
  })

  test('is read no further than the piece that is on its way', async () => {
    let reachedAt = -1
    const many = source(Array.from({ length: 24 }, () => Buffer.alloc(MIB, 'x')))
    const { google } = open(command => {
      if (command === 'upload' && reachedAt < 0) reachedAt = many.read.lines
      return undefined
    })
    await google.upload(many.sizeBytes, many.stream, plenty)
    expect(reachedAt).toBe(8)
    expect(many.read).toEqual({ times: 1, lines: 24 })
  })
})

test('a batch that Google tells of in words of its own is neither over nor lost', async () => {
  const { google } = open(() =>
    Response.json({ name: 'batches/a', metadata: { state: 'BATCH_STATE_PAUSED', displayName: 7 } }),
  )
  expect(await google.get('batches/a')).toMatchObject({ name: 'batches/a', state: undefined, displayName: undefined })
})

test('a creation that is answered without a name may have come to pass', async () => {
  const { google } = open(() => Response.json({ metadata: {} }))
  expect(await caught(() => google.create('m', 'ours', 'files/a'))).toMatchObject({ code: 'ERR_GEMINI_UNAVAILABLE' })
})
