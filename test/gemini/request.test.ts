import { describe, expect, test } from 'vitest'
import { buildRequest, fitsInline } from '../../lib/gemini/request.ts'
import { parseJob } from '../../lib/job.ts'

const job = (fields: object = {}) => parseJob({ operation: 'edit', prompt: 'make it blue', ...fields })
const image = (bytes: string, role?: 'style' | 'base') => ({ bytes: Buffer.from(bytes), mimeType: 'image/png', role })

test('one picture goes without a label, before the words', () => {
  expect(buildRequest('gemini-nano-banana-2.1', job(), 'make it blue', [image('abc')])).toEqual({
    model: 'gemini-nano-banana-2.1',
    contents: [
      {
        role: 'user',
        parts: [{ inlineData: { mimeType: 'image/png', data: 'YWJj' } }, { text: 'make it blue' }],
      },
    ],
    config: { responseModalities: ['TEXT', 'IMAGE'] },
  })
})

test('several pictures are told apart, in their order', () => {
  const { contents } = buildRequest('m', job(), 'x', [image('a', 'base'), image('b'), image('c', 'style')])
  expect(contents).toEqual([
    {
      role: 'user',
      parts: [
        { text: 'Image 1 is the picture to be edited:' },
        { inlineData: { mimeType: 'image/png', data: 'YQ==' } },
        { text: 'Image 2:' },
        { inlineData: { mimeType: 'image/png', data: 'Yg==' } },
        { text: 'Image 3 is only a reference for the style:' },
        { inlineData: { mimeType: 'image/png', data: 'Yw==' } },
        { text: 'x' },
      ],
    },
  ])
})

test('the job’s wishes go along under Gemini’s names, and no others', () => {
  const wishes = {
    responseModalities: ['IMAGE'],
    imageConfig: { aspectRatio: '16:9', imageSize: '2K' },
    systemInstruction: 'Be brief.',
    thinkingConfig: { thinkingLevel: 'HIGH', includeThoughts: true },
  }
  const { config } = buildRequest('m', job({ ...wishes, labels: ['a'], prefix: 'b' }), 'x', [])
  expect(JSON.parse(JSON.stringify(config))).toEqual(wishes)
})

test.each(['temperature', 'topP', 'topK', 'seed'])('%s is never sent', name => {
  expect(JSON.stringify(buildRequest('m', job(), 'x', []))).not.toContain(name)
})

describe('what fits into one request, as base64', () => {
  test.each([
    [[], true],
    [[1_000_000], true],
    [[71_250_000], true],
    [[71_250_001], false],
    [[50_000_000, 21_240_000], true],
    [[50_000_000, 21_260_000], false],
    [Array(14).fill(5_000_000), true],
    [Array(14).fill(5_100_000), false],
  ])('%j: %s', (sizes, fits) => {
    expect(fitsInline(sizes)).toBe(fits)
  })
})
