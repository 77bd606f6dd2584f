import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildLine, readRow } from '../../lib/gemini/batch-file.ts'
import { createGemini } from '../../lib/gemini/client.ts'
import { buildRequest } from '../../lib/gemini/request.ts'
import { parseJob } from '../../lib/job.ts'

const NOW = Date.UTC(2026, 10, 21)
const job = parseJob({ operation: 'edit', prompt: 'x', imageConfig: { imageSize: '1K' }, lane: 'batch' })
const image = { bytes: Buffer.from([255, 0, 10, 13]), mimeType: 'image/png' }

describe('a line of a batch’s file', () => {
  test('is one line, whatever its words', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async prompt => {
        const line = (await buildLine('a.b-c', buildRequest('m', job, prompt, [image]))).toString()
        expect(line.indexOf('\n')).toBe(line.length - 1)
        expect(JSON.parse(line)).toMatchObject({ key: 'a.b-c', request: { contents: [{ role: 'user' }] } })
      }),
      { numRuns: 30 },
    )
  })

  test('has byte for byte the request that a call of its own sends', async () => {
    const request = buildRequest('gemini-nano-banana-2.1', job, 'a “lake”\n', [image])
    let sent = ''
    const listen: typeof fetch = async (_, init) => {
      sent = String(init?.body)
      return Response.json({ candidates: [] })
    }
    const gemini = createGemini({ apiKey: { read: async () => 'k', forget() {} }, fetch: listen })
    await gemini.generate(request, { timeoutMs: 1000 })
    expect(sent).toMatch(/^\{/)
    expect((await buildLine('id', request)).toString()).toBe(`{"key":"id","request":${sent}}\n`)
  })
})

describe('a row of a result file', () => {
  test('that was answered has the reply as it came', () => {
    const response = { candidates: [{ unknown: 'ü' }], odd: null }
    expect(readRow(JSON.stringify({ key: 'a', response }), NOW)).toEqual({ key: 'a', reply: JSON.stringify(response) })
  })

  test.each<[string, object, string]>([
    ['that failed for its request', { error: { code: 3, message: 'bad' } }, 'ERR_GEMINI_REQUEST'],
    ['by an HTTP status', { error: { code: 400, message: 'bad' } }, 'ERR_GEMINI_REQUEST'],
    ['for its model', { error: { code: 5, message: 'gone' } }, 'ERR_MODEL_GONE'],
    ['for a quota', { error: { code: 8, message: 'slow' } }, 'ERR_GEMINI_RATE'],
    ['for the account', { error: { code: 9, message: 'billing' } }, 'ERR_GEMINI_ACCOUNT'],
    ['for nothing that is known', { error: { code: 77, message: 'odd' } }, 'ERR_GEMINI_UNAVAILABLE'],
    ['without a code', { error: { message: 'odd' } }, 'ERR_GEMINI_UNAVAILABLE'],
    ['with an error of another shape', { error: 'odd' }, 'ERR_GEMINI_UNAVAILABLE'],
    ['with a reply of another shape', { response: 'odd' }, 'ERR_GEMINI_UNAVAILABLE'],
    ['with neither', {}, 'ERR_GEMINI_UNAVAILABLE'],
  ])('%s says why, and that it was in a batch', (_, fields, code) => {
    const row = readRow(JSON.stringify({ key: 'a', ...fields }), NOW)
    expect(row).toMatchObject({ key: 'a', error: { code, message: expect.stringMatching(/^in a batch: /) } })
  })

  test.each(['', '{', 'null', '7', '[]', '{}', '{"key":7}', '{"response":{}}'])('%j is garbage', line => {
    expect(readRow(line, NOW)).toBeUndefined()
  })
})
