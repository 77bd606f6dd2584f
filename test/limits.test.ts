import { describe, expect, test } from 'vitest'
import { type Job, parseJob } from '../lib/job.ts'
import { checkLimits } from '../lib/limits.ts'
import { MODELS, type Model } from '../lib/models.ts'

const check = (id: string, wishes: object) =>
  checkLimits(id, MODELS[id] as Model, parseJob({ operation: 'edit', prompt: 'x', ...wishes }))

const inputs = (count: number, role?: Job['inputs'][number]['role']) =>
  Array.from({ length: count }, (_, index) => ({ uri: `s3://photos/${index}.jpg`, role }))

describe('a wish that the model does not take is refused with what it takes', () => {
  test.each([
    ['gemini-nano-banana-2.1', { imageConfig: { imageSize: '512' } }, 'imageSize 512 is not one of 1K, 2K, 4K'],
    ['gemini-3.1-flash-lite-image', { imageConfig: { imageSize: '4K' } }, 'imageSize 4K is not one of 1K'],
    ['gemini-2.5-flash-image', { imageConfig: { imageSize: '1K' } }, "imageSize can't be chosen"],
    ['gemini-3-pro-image', { imageConfig: { aspectRatio: '1:8' } }, 'aspectRatio 1:8 is not one of 1:1, 2:3, 3:2'],
    ['gemini-3-pro-image', { thinkingConfig: { thinkingLevel: 'HIGH' } }, "thinkingLevel can't be chosen"],
    ['gemini-nano-banana-2.1', { thinkingConfig: { thinkingLevel: 'LOW' } }, 'is not one of MINIMAL, MEDIUM, HIGH'],
    ['gemini-2.5-flash-image', { thinkingConfig: { includeThoughts: true } }, 'it has no thoughts to include'],
    ['gemini-3-pro-image', { grounding: { images: true } }, 'grounding images is not one of web'],
    ['gemini-3.1-flash-lite-image', { grounding: { web: true } }, "grounding can't be chosen"],
  ])('%s, %j', (id, wishes, message) => {
    expect(() => check(id, wishes)).toThrow(
      expect.objectContaining({ code: 'ERR_MODEL_OPTION', message: expect.stringContaining(message) }),
    )
  })

  test('every fault at once, with the model’s name', () => {
    expect(() =>
      check('gemini-2.5-flash-image', {
        imageConfig: { imageSize: '4K', aspectRatio: '8:1' },
        grounding: { web: true },
      }),
    ).toThrow(/^model gemini-2.5-flash-image: imageSize.*; aspectRatio.*; grounding/)
  })
})

describe('more inputs than the model takes are refused, all together and by role', () => {
  test.each([
    ['gemini-nano-banana-2.1', inputs(15), '15 inputs, it takes 14'],
    ['gemini-nano-banana-2.1', inputs(11, 'object'), '11 objects, it takes 10'],
    ['gemini-nano-banana-2.1', inputs(5, 'character'), '5 characters, it takes 4'],
    ['gemini-3-pro-image', inputs(7, 'object'), '7 objects, it takes 6'],
    ['gemini-3-pro-image', inputs(6, 'character'), '6 characters, it takes 5'],
  ])('%s, %#', (id, given, message) => {
    expect(() => check(id, { inputs: given })).toThrow(
      expect.objectContaining({ code: 'ERR_JOB_INPUTS', message: `model ${id}: ${message}` }),
    )
  })
})

describe('what the model takes passes', () => {
  test.each([
    ['gemini-nano-banana-2.1', { imageConfig: { imageSize: '4K', aspectRatio: '1:8' } }],
    ['gemini-nano-banana-2.1', { thinkingConfig: { thinkingLevel: 'MEDIUM', includeThoughts: true } }],
    ['gemini-nano-banana-2.1', { inputs: [...inputs(10, 'object'), ...inputs(4, 'character')] }],
    ['gemini-3-pro-image', { grounding: { web: true }, thinkingConfig: { includeThoughts: true } }],
    ['gemini-2.5-flash-image', { imageConfig: { aspectRatio: '21:9' }, inputs: inputs(3) }],
  ])('%s, %j', (id, wishes) => {
    expect(check(id, wishes)).toEqual([])
  })

  test('with a warning where more inputs make it worse', () => {
    expect(check('gemini-2.5-flash-image', { inputs: inputs(4) })).toEqual([
      'model gemini-2.5-flash-image works best with up to 3 inputs, got 4',
    ])
  })
})
