import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { readReply } from '../../lib/gemini/response.ts'
import { judgeReply } from '../../lib/result.ts'
import { drawPicture } from '../helpers/pictures.ts'

let pictures: Buffer[]
beforeAll(async () => {
  pictures = [
    await drawPicture('jpeg'),
    await drawPicture('png', { width: 8, height: 9 }),
    await drawPicture('webp', { width: 7, height: 5 }),
  ]
})

const picture = (which: number) => (pictures[which] as Buffer).toString('base64')
const wireImage = (which: number, more: object = {}) => ({
  inlineData: { mimeType: 'image/jpeg', data: picture(which) },
  ...more,
})
const wireReply = (parts: unknown[], finishReason = 'STOP') => ({
  candidates: [{ content: { role: 'model', parts }, finishReason, index: 0 }],
  modelVersion: 'gemini-nano-banana-2.1',
  responseId: 'r-1',
})

/** What a job would make of it, in one line. */
function outcome(json: unknown): string {
  const verdict = judgeReply(readReply(json))
  return verdict.pictures
    ? `done: ${verdict.pictures.map(({ width, height }) => `${width}×${height}`).join(' ')}; ${verdict.markdown}`
    : `${verdict.error.code}; ${verdict.words}`
}

describe('a reply as Google sends it', () => {
  test('an image behind its thoughts: the drafts are not taken', () => {
    const json = wireReply([
      { text: 'I shall draw a cup.', thought: true },
      wireImage(1, { thought: true }),
      { text: 'Now the light.', thought: true },
      wireImage(0, { thoughtSignature: 'A'.repeat(3_000_000) }),
    ])
    expect(outcome(json)).toBe('done: 30×20; ![image-1.jpg](image-1.jpg)')
  })

  test('the signature on the text part that comes first', () => {
    const json = wireReply([{ text: 'Here it is.', thoughtSignature: 'A'.repeat(2_000_000) }, wireImage(0)])
    expect(outcome(json)).toBe('done: 30×20; Here it is.\n\n![image-1.jpg](image-1.jpg)')
  })

  test('only a thought image: it is the result', () => {
    const json = wireReply([wireImage(1, { thought: true }), wireImage(0, { thought: true })])
    expect(outcome(json)).toBe('done: 30×20; ![image-1.jpg](image-1.jpg)')
  })

  test('NO_IMAGE with empty content', () => {
    expect(outcome({ candidates: [{ content: {}, finishReason: 'NO_IMAGE', index: 0 }] })).toBe('ERR_REPLY_NO_IMAGE; ')
    expect(outcome({ candidates: [{ finishReason: 'NO_IMAGE' }] })).toBe('ERR_REPLY_NO_IMAGE; ')
  })

  test('STOP with text and no image: a refusal, with the text as its reason', () => {
    expect(outcome(wireReply([{ text: "I can't draw this person." }]))).toBe(
      "ERR_REPLY_NO_IMAGE; I can't draw this person.",
    )
  })

  test('a prompt that was blocked has no candidates', () => {
    const json = {
      promptFeedback: { blockReason: 'PROHIBITED_CONTENT', blockReasonMessage: 'Not this.' },
      usageMetadata: { promptTokenCount: 12, totalTokenCount: 12 },
      modelVersion: 'gemini-3-pro-image',
    }
    expect(readReply(json)).toMatchObject({
      parts: [],
      blockReason: 'PROHIBITED_CONTENT',
      blockMessage: 'Not this.',
      usage: { promptTokenCount: 12 },
    })
    expect(outcome(json)).toBe('ERR_REPLY_BLOCKED; ')
  })

  test('a candidate without parts, as a last chunk is', () => {
    const json = { candidates: [{ content: { role: 'model' }, finishReason: 'STOP' }], usageMetadata: {} }
    expect(outcome(json)).toBe('ERR_REPLY_NO_IMAGE; ')
  })

  test('names in snake_case, as old recordings have them', () => {
    const json = {
      candidates: [
        {
          content: {
            parts: [
              { text: 'Hm.', thought: true },
              { inline_data: { mime_type: 'image/png', data: picture(1) }, thought_signature: 'AA' },
            ],
          },
          finish_reason: 'MAX_TOKENS',
          finish_message: 'cut',
        },
      ],
      usage_metadata: {
        prompt_token_count: 7,
        candidates_token_count: 1120,
        thoughts_token_count: 5,
        candidates_tokens_details: [{ modality: 'IMAGE', token_count: 1120 }],
      },
      model_version: 'gemini-2.5-flash-image',
      response_id: 'r-2',
    }
    expect(outcome(json)).toBe('done: 8×9; ![image-1.png](image-1.png)')
    expect(readReply(json)).toMatchObject({
      finishReason: 'MAX_TOKENS',
      finishMessage: 'cut',
      modelVersion: 'gemini-2.5-flash-image',
      responseId: 'r-2',
      usage: {
        promptTokenCount: 7,
        candidatesTokenCount: 1120,
        thoughtsTokenCount: 5,
        candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1120 }],
      },
    })
  })

  test('several candidates: all that they say is kept, and the one with the picture says how it ended', () => {
    const json = {
      candidates: [
        {
          content: { parts: [{ text: 'No.' }, wireImage(1, { thought: true })] },
          finishReason: 'IMAGE_SAFETY',
          finishMessage: 'no',
        },
        { content: { parts: [{ text: 'Yes.' }, wireImage(0)] }, finishReason: 'STOP' },
      ],
    }
    expect(readReply(json)).toMatchObject({ finishReason: 'STOP', finishMessage: undefined })
    expect(outcome(json)).toBe('done: 30×20; No.\n\nYes.\n\n![image-1.jpg](image-1.jpg)')
  })

  test('a part that is words and picture at once is both', () => {
    expect(outcome(wireReply([{ text: 'Look:', ...wireImage(0) }]))).toBe(
      'done: 30×20; Look:\n\n![image-1.jpg](image-1.jpg)',
    )
  })

  test('a picture without a declared type is still a picture', () => {
    expect(outcome(wireReply([{ inlineData: { data: picture(1) } }]))).toContain('done: 8×9')
  })

  test('a count that is no number leaves the others as they are, so that the bill is right', () => {
    const details = [null, { modality: 'TEXT', tokenCount: 'many' }, { modality: 'IMAGE', tokenCount: 1120 }]
    const { usage } = readReply({
      usageMetadata: { promptTokenCount: '12', candidatesTokenCount: 1130, candidatesTokensDetails: details },
    })
    expect(usage.promptTokenCount).toBeUndefined()
    expect(usage.candidatesTokenCount).toBe(1130)
    expect(usage.candidatesTokensDetails).toContainEqual({ modality: 'IMAGE', tokenCount: 1120 })
  })
})

describe('whatever a reply looks like', () => {
  /** A part, with what it means: words or a readable picture that is no thought. */
  type Sample = { wire: unknown; words?: string; picture?: number }

  const wrong = fc.constantFrom<unknown>(null, undefined, 7, '', 'x', [], {}, true, { data: 5 }, [null], -1.5)
  const extras = fc.constantFrom<object>(
    {},
    { thoughtSignature: 'A'.repeat(200_000) },
    { thought_signature: null },
    { functionCall: { name: 'f' } },
    { videoMetadata: 5, thoughtSignature: {} },
  )
  const spelling = fc.boolean()
  const thought = fc.constantFrom<object>({}, {}, { thought: false }, { thought: null }, { thought: true })
  const isThought = (flag: object) => (flag as { thought?: unknown }).thought === true

  const textPart = fc
    .tuple(fc.string({ unit: 'binary', maxLength: 30 }), thought, extras, fc.boolean(), wrong, fc.nat())
    .map(([rest, flag, more, odd, junk, serial]): Sample => {
      const words = `<${serial}>${rest}</${serial}>`
      const wire = { text: words, ...flag, ...more, ...(odd ? { inlineData: junk } : {}) }
      return isThought(flag) ? { wire } : { wire, words }
    })
  const imagePart = fc
    .tuple(fc.nat(2), thought, extras, spelling, fc.constantFrom('image/jpeg', 'image/png', 'text/html', null, 7))
    .map(([which, flag, more, snake, mimeType]): Sample => {
      const data = picture(which)
      const inline = snake ? { inline_data: { data, mime_type: mimeType } } : { inlineData: { data, mimeType } }
      const wire = { ...inline, ...flag, ...more }
      return isThought(flag) ? { wire } : { wire, picture: which }
    })
  const oddPart = fc.oneof(
    wrong,
    fc.record({ text: wrong, thought: wrong, inlineData: wrong }, { requiredKeys: [] }),
    fc.record({ inlineData: fc.record({ data: fc.constantFrom('', '????', 'PHN2Zy8+'), mimeType: wrong }) }),
    fc.record({ fileData: wrong, executableCode: wrong }),
  )
  const part = fc.oneof(
    { weight: 3, arbitrary: textPart },
    { weight: 3, arbitrary: imagePart },
    {
      weight: 2,
      // Words where a part was drawn at random are no loss that could be told, so none are claimed.
      arbitrary: oddPart.map((wire): Sample => ({ wire })),
    },
  )
  const reason = fc.constantFrom<unknown>(
    ...['STOP', 'MAX_TOKENS', 'SAFETY', 'IMAGE_SAFETY', 'NO_IMAGE', 'RECITATION', 'CONTINUATION', 'LANGUAGE'],
    ...['SOMETHING_NEW', 'constructor', '', undefined, null, 7, {}],
  )
  const candidate = fc
    .tuple(fc.array(part, { maxLength: 6 }), reason, spelling, wrong)
    .map(([samples, finishReason, snake, junk]) => ({
      samples,
      wire: {
        content: { role: 'model', parts: samples.map(({ wire }) => wire) },
        ...(snake ? { finish_reason: finishReason } : { finishReason }),
        finishMessage: junk,
        groundingMetadata: junk,
      },
    }))
  const oddCandidate = wrong.map(wire => ({ samples: [] as Sample[], wire }))
  const reply = fc
    .tuple(
      fc.array(fc.oneof({ weight: 4, arbitrary: candidate }, { weight: 1, arbitrary: oddCandidate }), { maxLength: 3 }),
      fc.oneof(wrong, fc.record({ blockReason: fc.constantFrom('SAFETY', 'NEW', 7, null), blockReasonMessage: wrong })),
      fc.oneof(wrong, fc.record({ promptTokenCount: wrong, candidatesTokensDetails: wrong })),
      wrong,
    )
    .map(([candidates, promptFeedback, usageMetadata, modelVersion]) => ({
      samples: candidates.flatMap(({ samples }) => samples),
      wire: { candidates: candidates.map(({ wire }) => wire), promptFeedback, usageMetadata, modelVersion },
    }))

  test('nothing is thrown, no thought passes for a picture, and no words are lost', () => {
    fc.assert(
      fc.property(reply, ({ samples, wire }) => {
        const verdict = judgeReply(readReply(JSON.parse(JSON.stringify(wire))))
        const wished = samples.flatMap(sample => sample.picture ?? [])
        if (wished.length > 0) {
          expect(verdict.pictures?.map(({ bytes }) => bytes)).toEqual(wished.map(which => pictures[which]))
        } else if (verdict.pictures) {
          expect(verdict.pictures).toHaveLength(1)
          expect(verdict.warnings).toContain('every image of the reply was a thought: the last one is the result')
        }
        const said = verdict.pictures ? verdict.markdown : verdict.words
        for (const { words } of samples) if (words !== undefined) expect(said).toContain(words)
      }),
      { numRuns: 500 },
    )
  })

  test('it may be any JSON at all', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), json => {
        judgeReply(readReply(json))
      }),
    )
  })
})
