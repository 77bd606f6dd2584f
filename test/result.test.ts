import { beforeAll, describe, expect, test } from 'vitest'
import { EditError } from '../lib/errors.ts'
import type { Part, Reply } from '../lib/parts.ts'
import { judgeReply, toResultError, type Verdict } from '../lib/result.ts'
import { drawPicture } from './helpers/pictures.ts'

let jpeg: Buffer
let png: Buffer
beforeAll(async () => {
  jpeg = await drawPicture('jpeg')
  png = await drawPicture('png', { width: 8, height: 9 })
})

const text = (words: string, thought = false): Part => ({ kind: 'text', text: words, thought })
const image = (bytes: Buffer, thought = false): Part => ({ kind: 'image', bytes, declaredType: 'image/jpeg', thought })
const judge = (parts: Part[], more: Partial<Reply> = {}) => judgeReply({ parts, usage: {}, ...more })

/** `done`, or the code with how often such a reply may come. */
function brief(verdict: Verdict): string {
  return verdict.pictures ? 'done' : `${verdict.error.code} ×${verdict.most}`
}

/** Every reason that Google documents: what it means without a picture, and how the job ends. */
const REASONS: [reason: string, brief: string, ends: 'refused' | 'failed'][] = [
  ['STOP', 'ERR_REPLY_NO_IMAGE ×3', 'refused'],
  ['MAX_TOKENS', 'ERR_REPLY_CUT_OFF ×1', 'failed'],
  ['SAFETY', 'ERR_REPLY_BLOCKED ×1', 'refused'],
  ['RECITATION', 'ERR_REPLY_RECITATION ×2', 'refused'],
  ['LANGUAGE', 'ERR_REPLY_LANGUAGE ×1', 'refused'],
  ['OTHER', 'ERR_REPLY_NO_IMAGE ×3', 'refused'],
  ['BLOCKLIST', 'ERR_REPLY_BLOCKED ×1', 'refused'],
  ['PROHIBITED_CONTENT', 'ERR_REPLY_BLOCKED ×1', 'refused'],
  ['SPII', 'ERR_REPLY_BLOCKED ×1', 'refused'],
  ['MALFORMED_FUNCTION_CALL', 'ERR_REPLY_NO_IMAGE ×3', 'refused'],
  ['IMAGE_SAFETY', 'ERR_REPLY_BLOCKED ×1', 'refused'],
  ['UNEXPECTED_TOOL_CALL', 'ERR_REPLY_NO_IMAGE ×3', 'refused'],
  ['TOO_MANY_TOOL_CALLS', 'ERR_REPLY_NO_IMAGE ×3', 'refused'],
  ['IMAGE_PROHIBITED_CONTENT', 'ERR_REPLY_BLOCKED ×1', 'refused'],
  ['NO_IMAGE', 'ERR_REPLY_NO_IMAGE ×3', 'refused'],
  ['IMAGE_RECITATION', 'ERR_REPLY_RECITATION ×2', 'refused'],
  ['IMAGE_OTHER', 'ERR_REPLY_NO_IMAGE ×3', 'refused'],
  ['CONTINUATION', 'ERR_REPLY_NO_IMAGE ×3', 'refused'],
  ['MALFORMED_RESPONSE', 'ERR_REPLY_NO_IMAGE ×3', 'refused'],
  ['IMAGE_TOO_ODD_TO_DRAW', 'ERR_REPLY_NO_IMAGE ×3', 'refused'],
  ['constructor', 'ERR_REPLY_NO_IMAGE ×3', 'refused'],
]

describe.each(REASONS)('a reply that ended with %s', (finishReason, meaning, ends) => {
  test(`without a picture: ${meaning}, ${ends}`, () => {
    const verdict = judge([text('I would rather not.')], { finishReason })
    expect(brief(verdict)).toBe(meaning)
    if (verdict.pictures) return
    expect(verdict.words).toBe('I would rather not.')
    expect(verdict.error.message).toContain(finishReason)
    expect(toResultError(verdict.error)).toMatchObject({ status: ends, error: { remedy: 'change' } })
  })

  test('with a picture that is whole: done', () => {
    const verdict = judge([image(jpeg)], { finishReason })
    expect(brief(verdict)).toBe('done')
    expect(verdict).toMatchObject({
      warnings: finishReason === 'STOP' ? [] : [`the reply ended with ${finishReason}`],
    })
  })
})

describe('a prompt that was blocked is refused at once', () => {
  test.each(['SAFETY', 'OTHER', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'IMAGE_SAFETY', 'MODEL_ARMOR', 'SOMETHING_NEW'])(
    '%s',
    blockReason => {
      const verdict = judge([], { blockReason })
      expect(brief(verdict)).toBe('ERR_REPLY_BLOCKED ×1')
      expect(verdict).toMatchObject({ error: { message: `Gemini blocked the prompt (${blockReason})` } })
    },
  )
  test('with Google’s words, where it has any', () => {
    expect(judge([], { blockReason: 'OTHER', blockMessage: 'The photo shows a child.' })).toMatchObject({
      error: { message: 'Gemini blocked the prompt (OTHER): The photo shows a child.' },
    })
  })
})

test('an empty reply is soft: it may come three times', () => {
  expect(brief(judge([]))).toBe('ERR_REPLY_NO_IMAGE ×3')
  expect(judge([])).toMatchObject({ error: { message: 'Gemini ended with no reason and no picture' }, words: '' })
})

test('the model’s own words about its end are in the message', () => {
  const finishMessage = 'Unable to show the generated image.'
  expect(judge([], { finishReason: 'IMAGE_SAFETY', finishMessage })).toMatchObject({
    error: { message: `Gemini ended with IMAGE_SAFETY and no picture: ${finishMessage}` },
  })
})

describe('a thought is no result', () => {
  test('while there is a picture that is none', () => {
    const verdict = judge([text('Hm.', true), image(png, true), image(jpeg), text('Here.')], { finishReason: 'STOP' })
    expect(verdict).toMatchObject({
      pictures: [{ name: 'image-1.jpg', bytes: jpeg }],
      markdown: '![image-1.jpg](image-1.jpg)\n\nHere.',
      drafts: [{ name: 'thought-1.png', bytes: png }],
      draftMarkdown: 'Hm.\n\n![thought-1.png](thought-1.png)',
      warnings: [],
    })
  })

  test.each(['STOP', undefined])('unless every image is one: then the last is the result (%s)', finishReason => {
    const verdict = judge([image(png, true), image(jpeg, true), text('Done.')], { finishReason })
    expect(verdict).toMatchObject({
      pictures: [{ name: 'image-1.jpg', bytes: jpeg }],
      markdown: '![image-1.jpg](image-1.jpg)\n\nDone.',
      drafts: [{ name: 'thought-1.png' }, { name: 'thought-2.jpg' }],
      warnings: ['every image of the reply was a thought: the last one is the result'],
    })
  })

  test.each([
    [{ finishReason: 'IMAGE_SAFETY' }, 'ERR_REPLY_BLOCKED ×1'],
    [{ finishReason: 'MAX_TOKENS' }, 'ERR_REPLY_CUT_OFF ×1'],
    [{ finishReason: 'IMAGE_RECITATION' }, 'ERR_REPLY_RECITATION ×2'],
    [{ blockReason: 'SAFETY' }, 'ERR_REPLY_BLOCKED ×1'],
  ])('nor of a reply that Google stopped: %j', (more, meaning) => {
    expect(brief(judge([image(jpeg, true)], more))).toBe(meaning)
  })

  test('nor where the answer came and cannot be read: that is asked for again', () => {
    expect(brief(judge([image(jpeg, true), image(Buffer.from('?'))], { finishReason: 'STOP' }))).toBe(
      'ERR_REPLY_UNREADABLE ×3',
    )
  })
})

describe('a picture that cannot be read', () => {
  const broken = () => image(jpeg.subarray(0, jpeg.length - 2))
  test('is asked for again, three times in all, and then the job failed', () => {
    const verdict = judge([broken(), text('Here.')], { finishReason: 'STOP' })
    expect(brief(verdict)).toBe('ERR_REPLY_UNREADABLE ×3')
    expect(verdict).toMatchObject({
      words: 'Here.',
      error: { message: expect.stringContaining('whose end is missing') },
    })
    if (!verdict.pictures) expect(toResultError(verdict.error).status).toBe('failed')
  })

  test.each([
    ['MAX_TOKENS', 'ERR_REPLY_CUT_OFF ×1'],
    ['IMAGE_SAFETY', 'ERR_REPLY_BLOCKED ×1'],
    ['RECITATION', 'ERR_REPLY_RECITATION ×2'],
    ['LANGUAGE', 'ERR_REPLY_LANGUAGE ×1'],
  ])('is not paid for again where the reason says that it would come back the same: %s', (finishReason, meaning) => {
    expect(brief(judge([broken()], { finishReason }))).toBe(meaning)
  })

  test('is a warning beside one that can', () => {
    const verdict = judge([broken(), image(png)], { finishReason: 'STOP' })
    expect(verdict).toMatchObject({
      pictures: [{ name: 'image-1.png' }],
      warnings: [expect.stringContaining('whose end is missing')],
    })
  })
})

test('the error of a result is the code, the words and whose move it is', () => {
  expect(toResultError(new EditError('ERR_INPUT_EMPTY', 's3://a/b has no bytes'))).toEqual({
    status: 'failed',
    error: { code: 'ERR_INPUT_EMPTY', message: 's3://a/b has no bytes', remedy: 'change' },
  })
})
