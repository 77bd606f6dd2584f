import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { costOf, estimateCost, type Usage } from '../lib/cost.ts'
import { MODELS, type Model } from '../lib/models.ts'

const model = (id: string) => MODELS[id] as Model
const pro = model('gemini-3-pro-image')

/** A 4K picture of Pro as Google billed it. */
const real: Usage = {
  candidatesTokenCount: 2340,
  candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 2000 }],
  thoughtsTokenCount: 337,
}

describe('the bill of a real reply', () => {
  test('its outputs: $0.2481', () => {
    expect(costOf(real, pro, 'now').toFixed(4)).toBe('0.2481')
  })
  test('with its prompt: $0.2488', () => {
    expect(costOf({ ...real, promptTokenCount: 338 }, pro, 'now').toFixed(4)).toBe('0.2488')
  })
  test('in a batch: half of it', () => {
    expect(costOf({ ...real, promptTokenCount: 338 }, pro, 'batch').toFixed(4)).toBe('0.1244')
  })
})

describe('every token has its rate', () => {
  const million = 1_000_000
  const image = (tokenCount: number) => ({
    candidatesTokenCount: tokenCount,
    candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount }],
  })
  test.each<[string, string, Usage, number]>([
    ['gemini-nano-banana-2.1', 'a prompt', { promptTokenCount: million }, 1.5],
    ['gemini-nano-banana-2.1', 'words', { candidatesTokenCount: million }, 7.5],
    ['gemini-nano-banana-2.1', 'thoughts', { thoughtsTokenCount: million }, 7.5],
    ['gemini-nano-banana-2.1', 'a picture', image(million), 30],
    ['gemini-3.1-flash-image', 'a picture', image(million), 60],
    ['gemini-2.5-flash-image', 'a picture', image(1290), 0.0387],
    ['gemini-nano-banana-2.1', 'nothing', {}, 0],
  ])('%s, %s', (id, _, usage, usd) => {
    expect(costOf(usage, model(id), 'now')).toBeCloseTo(usd, 9)
  })

  test('two pictures are counted both, and the words beside them once', () => {
    const usage = {
      candidatesTokenCount: 2_250,
      candidatesTokensDetails: [
        { modality: 'IMAGE', tokenCount: 1_120 },
        { modality: 'TEXT', tokenCount: 10 },
        { modality: 'IMAGE', tokenCount: 1_120 },
      ],
    }
    expect(costOf(usage, model('gemini-nano-banana-2.1'), 'now')).toBeCloseTo(0.0672 + 0.000075, 9)
  })

  test('no count that Google may send makes a bill negative or not a number', () => {
    const count = fc.option(fc.nat(), { nil: undefined })
    const row = fc.record({ modality: fc.constantFrom('IMAGE', 'TEXT', 'NEW', undefined), tokenCount: count })
    const usage = fc.record({
      promptTokenCount: count,
      candidatesTokenCount: count,
      thoughtsTokenCount: count,
      candidatesTokensDetails: fc.option(fc.array(row), { nil: undefined }),
    })
    fc.assert(fc.property(usage, given => costOf(given, pro, 'now') >= 0))
  })
})

describe('an estimate', () => {
  test.each<[string, Parameters<typeof estimateCost>[1], number]>([
    // 1,120 tokens of picture, 500 of thoughts.
    ['gemini-nano-banana-2.1', { inputs: 0, promptBytes: 0, lane: 'now' }, 0.0336 + 0.00375],
    ['gemini-nano-banana-2.1', { inputs: 0, promptBytes: 0, imageSize: '4K', lane: 'now' }, 0.1134 + 0.00375],
    ['gemini-nano-banana-2.1', { inputs: 2, promptBytes: 300, lane: 'now' }, 0.0336 + 0.00375 + 0.00336 + 0.00015],
    ['gemini-3-pro-image', { inputs: 1, promptBytes: 0, imageSize: '4K', lane: 'batch' }, (0.24 + 0.006 + 0.00112) / 2],
    ['gemini-2.5-flash-image', { inputs: 0, promptBytes: 0, lane: 'now' }, 0.0387],
  ])('%s %j', (id, wish, usd) => {
    expect(estimateCost(model(id), wish)).toBeCloseTo(usd, 6)
  })

  test('is not below what the real reply cost', () => {
    const wish = { inputs: 0, promptBytes: 1000, imageSize: '4K', lane: 'now' } as const
    expect(estimateCost(pro, wish)).toBeGreaterThan(0.24)
  })
})
