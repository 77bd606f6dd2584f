import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { REPLIES, type ReplyName } from '../../infra/local/gemini/replies.ts'
import { inspectImage } from '../../lib/image.ts'
import { type Bench, openDarkroom } from '../helpers/darkroom.ts'

type End = { status: 'done' | 'refused' | 'failed'; code?: string; calls: number; images?: string[]; warning?: RegExp }

const policy: End = { status: 'refused', code: 'ERR_REPLY_BLOCKED', calls: 1 }
const recited: End = { status: 'refused', code: 'ERR_REPLY_RECITATION', calls: 2 }
const soft: End = { status: 'refused', code: 'ERR_REPLY_NO_IMAGE', calls: 3 }
const unreadable: End = { status: 'failed', code: 'ERR_REPLY_UNREADABLE', calls: 3 }
const done: End = { status: 'done', calls: 1, images: ['image-1.jpg'] }

/** How a job ends whose every reply is of this kind. */
const ENDS: Record<Exclude<ReplyName, 'ungrounded'>, End> = {
  SAFETY: policy,
  IMAGE_SAFETY: policy,
  PROHIBITED_CONTENT: policy,
  IMAGE_PROHIBITED_CONTENT: policy,
  SPII: policy,
  BLOCKLIST: policy,
  'blocked-SAFETY': policy,
  'blocked-OTHER': policy,
  'blocked-BLOCKLIST': policy,
  'blocked-PROHIBITED_CONTENT': policy,
  'blocked-IMAGE_SAFETY': policy,
  RECITATION: recited,
  IMAGE_RECITATION: recited,
  LANGUAGE: { status: 'refused', code: 'ERR_REPLY_LANGUAGE', calls: 1 },
  MAX_TOKENS: { status: 'failed', code: 'ERR_REPLY_CUT_OFF', calls: 1 },
  NO_IMAGE: soft,
  IMAGE_OTHER: soft,
  OTHER: soft,
  MALFORMED_FUNCTION_CALL: soft,
  MALFORMED_RESPONSE: soft,
  UNEXPECTED_TOOL_CALL: soft,
  TOO_MANY_TOOL_CALLS: soft,
  CONTINUATION: soft,
  'no-candidates': soft,
  'empty-content': soft,
  'text-only': soft,
  'unknown-finish': soft,
  'unreadable-image': unreadable,
  'truncated-image': unreadable,
  'several-images': { ...done, images: ['image-1.jpg', 'image-2.jpg'] },
  'several-candidates': { ...done, images: ['image-1.jpg', 'image-2.jpg'] },
  interleaved: { ...done, images: ['image-1.jpg', 'image-2.jpg'] },
  'thought-only': { ...done, warning: /every image of the reply was a thought/ },
  'thought-first': done,
  'wrong-mime': { ...done, images: ['image-1.png'] },
  'max-tokens-with-image': { ...done, warning: /ended with MAX_TOKENS/ },
  'unknown-finish-with-image': { ...done, warning: /ended with IMAGE_/ },
  'tiny-image': { ...done, warning: /asked for 16:9 \(1376×768\), got 64×64/ },
  'wrong-size': { ...done, warning: /asked for 16:9 \(1376×768\), got 1024×1024/ },
  'other-model-version': done,
}

describe('a job ends as its replies say', () => {
  let darkroom: Bench
  beforeAll(async () => {
    darkroom = await openDarkroom({ clockFactor: 10 })
  })
  afterAll(() => darkroom[Symbol.asyncDispose]())

  it('with a row here for each reply that the stand-in can give', () => {
    expect(Object.keys(ENDS).toSorted()).toEqual(
      Object.keys(REPLIES)
        .filter(name => name !== 'ungrounded')
        .toSorted(),
    )
  })

  it.for(Object.entries(ENDS) as [ReplyName, End][])('%s', async ([reply, end]) => {
    const id = `reply.${reply}`
    darkroom.gemini.control.reply({ reply, match: { promptIncludes: `<${id}>` } })
    await darkroom.send({ id, operation: 'generate', prompt: `a lake <${id}>`, imageConfig: { aspectRatio: '16:9' } })
    const result = await darkroom.result(`jobs/${id}/`)

    expect({ status: result.status, code: result.error?.code }).toEqual({ status: end.status, code: end.code })
    expect(darkroom.gemini.calls.filter(({ prompt }) => prompt.includes(`<${id}>`))).toHaveLength(end.calls)
    const names = result.images.map(({ key }) => key.split('/').at(-1))
    expect(names).toEqual(end.images ?? [])
    expect(await darkroom.row(id)).toMatchObject({ status: end.status, calls: end.calls })
    expect((await darkroom.keys(`jobs/${id}/`)).filter(key => /response-\d+\.json$/.test(key))).toHaveLength(end.calls)
    expect(result.warnings.join('\n')).toMatch(end.warning ?? /^$/)
    for (const { key, mimeType } of result.images) {
      const { bytes, contentType } = await darkroom.fetch(key)
      expect(inspectImage(bytes)).toMatchObject({ mimeType })
      expect(contentType).toBe(mimeType)
    }
  })

  it("a refusal keeps the model's words and every reply's cost", async () => {
    const result = await darkroom.result('jobs/reply.text-only/')
    expect(result.text).toMatch(/I can't make that picture/)
    expect(result.attempts).toHaveLength(3)
    expect(result.cost.usd).toBeGreaterThan(0)
  })

  it('text and pictures stay in the order in which they came', async () => {
    await darkroom.result('jobs/reply.interleaved/')
    const text = (await darkroom.fetch('jobs/reply.interleaved/text.md')).bytes.toString()
    expect(text).toMatch(/\w.*image-1\.jpg.*\w.*image-2\.jpg/s)
  })
})
