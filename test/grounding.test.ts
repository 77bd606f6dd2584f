import { describe, expect, test } from 'vitest'
import { searchCostOf } from '../lib/cost.ts'
import { type Grounding, groundingWarnings, groundingWish, isGrounded, toResultGrounding } from '../lib/grounding.ts'
import { parseJob } from '../lib/job.ts'
import { checkLimits } from '../lib/limits.ts'
import { MODELS } from '../lib/models.ts'
import type { Reply } from '../lib/parts.ts'
import { judgeReply } from '../lib/result.ts'

const nothing: Grounding = { webQueries: [], imageQueries: [], sources: [], supports: [] }
const found: Grounding = {
  ...nothing,
  webQueries: ['weather Oslo'],
  sources: [{ kind: 'web', uri: 'https://met.example/' }],
}

describe('what is looked up for a job', () => {
  const weather = { operation: 'weather', slots: { place: 'Oslo' } }
  const free = { operation: 'generate', prompt: 'the moon tonight' }
  test.each<[string, object, object | undefined]>([
    ['nothing, unless it says so', free, undefined],
    ['the web, where it says no more', { ...free, grounding: {} }, { web: true, images: false, required: false }],
    ['pictures alone', { ...free, grounding: { images: true } }, { web: false, images: true, required: false }],
    ['both', { ...free, grounding: { web: true, images: true } }, { web: true, images: true, required: false }],
    [
      'the web and nothing less',
      { ...free, grounding: { required: true } },
      { web: true, images: false, required: true },
    ],
    ['a forecast, for weather', weather, { web: true, images: false, required: true }],
    [
      'a forecast, for weather in words of its own',
      { operation: 'weather', prompt: 'Oslo' },
      { web: true, images: false, required: true },
    ],
    [
      'a forecast that may be missing',
      { ...weather, grounding: { required: false } },
      { web: true, images: false, required: false },
    ],
    [
      'nothing, for weather that brings its forecast',
      { operation: 'weather', slots: { place: 'Oslo', facts: 'snow' } },
      undefined,
    ],
    [
      'what it asks for, also beside a forecast of its own',
      { operation: 'weather', slots: { place: 'Oslo', facts: 'snow' }, grounding: { images: true } },
      { web: false, images: true, required: false },
    ],
  ])('%s', (_, job, wish) => {
    expect(groundingWish(parseJob(job))).toEqual(wish)
  })

  test('is refused by a model without it, and weather is told why it was asked for', () => {
    const lite = MODELS['gemini-3.1-flash-lite-image'] as (typeof MODELS)[string]
    expect(() => checkLimits('gemini-3.1-flash-lite-image', lite, parseJob(weather))).toThrow(
      "model gemini-3.1-flash-lite-image: grounding can't be chosen (weather looks up what the job doesn't bring in slot facts)",
    )
    expect(
      checkLimits('lite', lite, parseJob({ operation: 'weather', slots: { place: 'Oslo', facts: 'snow' } })),
    ).toEqual([])
  })
})

describe('a reply counts as looked up', () => {
  test.each<[string, Grounding | undefined, boolean]>([
    ['not without metadata', undefined, false],
    ['not with empty metadata', nothing, false],
    ['with a source', found, true],
    ['with a query alone: Gemini 3 is known to leave the sources out', { ...nothing, webQueries: ['Oslo'] }, true],
    ['with an image query alone', { ...nothing, imageQueries: ['Oslo'] }, true],
  ])('%s', (_, grounding, grounded) => {
    expect(isGrounded(grounding)).toBe(grounded)
    expect(toResultGrounding(grounding) !== undefined).toBe(grounded)
  })

  test('what is less than was asked for is a warning', () => {
    const wish = { web: true, images: false, required: false }
    expect(groundingWarnings(wish, undefined)).toEqual(['asked for grounding, the reply has none'])
    expect(groundingWarnings(wish, { ...nothing, webQueries: ['Oslo'] })).toEqual([
      'the reply was looked up, but names no source',
    ])
    expect(groundingWarnings(wish, found)).toEqual([])
    expect(groundingWarnings(undefined, undefined)).toEqual([])
  })
})

describe('a picture that was not looked up', () => {
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  )
  const reply: Reply = {
    parts: [
      { kind: 'text', text: 'Sunny, I guess.', thought: false },
      { kind: 'image', bytes: png, declaredType: 'image/png', thought: false },
    ],
    finishReason: 'STOP',
    usage: {},
  }
  const required = { web: true, images: false, required: true }

  test('is no result where it had to be, and two such replies are enough', () => {
    expect(judgeReply(reply, required)).toMatchObject({
      pictures: undefined,
      error: { code: 'ERR_REPLY_UNGROUNDED', remedy: 'change' },
      most: 2,
      words: 'Sunny, I guess.',
    })
  })
  test('is a result with a warning where it need not be', () => {
    expect(judgeReply(reply, { ...required, required: false })).toMatchObject({
      pictures: [{ name: 'image-1.png' }],
      warnings: ['asked for grounding, the reply has none'],
    })
  })
  test('is a result like any other once it was', () => {
    expect(judgeReply({ ...reply, grounding: found }, required)).toMatchObject({ pictures: [{}], warnings: [] })
  })
  test('a refusal stays the refusal that it is', () => {
    expect(judgeReply({ parts: [], finishReason: 'IMAGE_SAFETY', usage: {} }, required)).toMatchObject({
      error: { code: 'ERR_REPLY_BLOCKED' },
      most: 1,
    })
  })
})

test('a thousand web queries cost 14 dollars', () => {
  expect(searchCostOf(1000)).toBeCloseTo(14, 10)
  expect(searchCostOf(3).toFixed(4)).toBe('0.0420')
})
