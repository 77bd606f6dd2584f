import { describe, expect, test } from 'vitest'
import { buildRequest, chooseInline } from '../../lib/gemini/request.ts'
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
    expect(chooseInline(sizes).every(Boolean)).toBe(fits)
  })
})

describe('what does not fit goes as files, the largest first', () => {
  const MB = 1_000_000
  test.each<[string, number[], number, boolean[]]>([
    ['five of 20 MB', Array(5).fill(20 * MB), 0, [false, false, false, false, false]],
    ['a small one beside large ones stays', [50 * MB, 2 * MB, 40 * MB], 0, [false, true, false]],
    ['as many stay as 20 MB of base64 hold', Array(14).fill(6 * MB), 0, [...Array(12).fill(false), true, true]],
    ['earlier turns take their room', [10 * MB, 3 * MB], 80 * MB, [false, true]],
    ['earlier turns and small ones', [MB, MB], 80 * MB, [true, true]],
  ])('%s', (_, sizes, taken, inline) => {
    expect(chooseInline(sizes, taken)).toEqual(inline)
  })

  test('a file is named by its address', () => {
    const file = { fileUri: 'https://files/abc', mimeType: 'image/png' }
    const { contents } = buildRequest('m', job(), 'x', [file, image('b')])
    expect(contents).toMatchObject([{ parts: [{}, { fileData: file }, {}, { inlineData: {} }, { text: 'x' }] }])
  })
})

test('what was said before goes around the SDK, which would drop names that it does not know', () => {
  const said = [
    { role: 'user', parts: [{ text: 'a cup' }] },
    { role: 'model', parts: [{ text: 'Here.', thoughtSignature: 'c2lnbg==', nameOfTomorrow: { a: 1 } }] },
  ]
  const { config } = buildRequest('m', job(), 'in blue', [], said)
  expect(config?.httpOptions?.extraBody).toEqual({
    contents: [...said, { role: 'user', parts: [{ text: 'in blue' }] }],
  })
})
