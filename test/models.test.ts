import { describe, expect, test } from 'vitest'
import {
  type AspectRatio,
  expectedPixels,
  type ImageSize,
  liveModels,
  MODELS,
  Model,
  nearestRatio,
  resolveModel,
  succeed,
} from '../lib/models.ts'

const today = '2026-11-21'
const model = (id: string) => MODELS[id] as Model

describe('the catalogue', () => {
  test.each(Object.entries(MODELS))('%s is a whole row', (_, row) => {
    expect(Model.safeParse(row).error).toBeUndefined()
  })

  test.each([
    ['gemini-nano-banana-2.1', '1K 2K 4K', 14, 'MINIMAL MEDIUM HIGH', 'web images', 14, 10, 4],
    ['gemini-3.1-flash-image', '512 1K 2K 4K', 14, 'MINIMAL HIGH', 'web images', 14, 10, 4],
    ['gemini-3-pro-image', '1K 2K 4K', 10, '', 'web', 14, 6, 5],
    ['gemini-3.1-flash-lite-image', '1K', 14, 'MINIMAL HIGH', '', 14, undefined, undefined],
    ['gemini-2.5-flash-image', '', 10, '', '', 14, undefined, undefined],
  ])('%s takes what Google says', (id, sizes, ratios, levels, grounding, most, objects, characters) => {
    const row = model(id)
    expect(row.sizes.join(' ')).toBe(sizes)
    expect(row.ratios).toHaveLength(ratios)
    expect(row.thinkingLevels.join(' ')).toBe(levels)
    expect(row.grounding.join(' ')).toBe(grounding)
    expect([row.references.most, row.references.object, row.references.character]).toEqual([most, objects, characters])
  })

  test.each([
    ['gemini-nano-banana-2.1', 1.5, 7.5, 30, { '1K': 0.0336, '2K': 0.0504, '4K': 0.1134 }],
    ['gemini-3.1-flash-image', 0.5, 3, 60, { '512': 0.045, '1K': 0.067, '2K': 0.101, '4K': 0.151 }],
    ['gemini-3-pro-image', 2, 12, 120, { '1K': 0.134, '2K': 0.134, '4K': 0.24 }],
    ['gemini-3.1-flash-lite-image', 0.25, 1.5, 30, { '1K': 0.0336 }],
    ['gemini-2.5-flash-image', 0.3, 2.5, 30, { '1K': 0.039 }],
  ])('%s costs what the price list says, by token and by picture', (id, input, text, image, pictures) => {
    const row = model(id)
    expect(row.prices).toMatchObject({ input, text, image })
    const perPicture = Object.entries(row.imageTokens).map(([size, tokens]) => [size, (tokens * image) / 1e6])
    expect(Object.keys(pictures)).toEqual(perPicture.map(([size]) => size))
    for (const [size, usd] of perPicture as [keyof typeof pictures, number][]) {
      // The list rounds to a tenth of a cent.
      expect(Math.abs(usd - (pictures[size] as number)), size).toBeLessThan(0.0006)
    }
  })
})

describe('what was shut down is followed by its successor, with a warning', () => {
  test.each([
    ['gemini-3.1-flash-image-preview', 'gemini-3.1-flash-image'],
    ['gemini-3-pro-image-preview', 'gemini-3-pro-image'],
    ['gemini-2.5-flash-image-preview', 'gemini-2.5-flash-image'],
    ['imagen-4.0-generate-001', 'gemini-nano-banana-2.1'],
    ['imagen-4.0-fast-generate-001', 'gemini-nano-banana-2.1'],
    ['imagen-4.0-ultra-generate-001', 'gemini-3-pro-image'],
  ])('%s → %s', (id, successor) => {
    const resolved = resolveModel(id, MODELS, today)
    expect(resolved.id).toBe(successor)
    expect(resolved.model).toBe(MODELS[successor])
    expect(resolved.warnings[0]).toMatch(`model ${id} was shut down on 2026-`)
    expect(resolved.warnings[0]).toContain(`${successor} ran instead`)
  })

  test('on the day of the shutdown already', () => {
    expect(resolveModel('gemini-2.5-flash-image', MODELS, '2027-03-14').id).toBe('gemini-2.5-flash-image')
    expect(resolveModel('gemini-2.5-flash-image', MODELS, '2027-03-15').id).toBe('gemini-nano-banana-2.1')
  })

  test('and the successor’s successor, when that is gone too', () => {
    const { id, warnings } = resolveModel('gemini-2.5-flash-image-preview', MODELS, '2027-06-01')
    expect(id).toBe('gemini-nano-banana-2.1')
    expect(warnings).toHaveLength(2)
  })

  test('a model that Google no longer finds is followed as well, and one without a successor names those that live', () => {
    expect(succeed('gemini-3.1-flash-image', model('gemini-3.1-flash-image'), MODELS, today)).toMatchObject({
      id: 'gemini-nano-banana-2.1',
      warnings: ['model gemini-3.1-flash-image is no longer served: gemini-nano-banana-2.1 ran instead'],
    })
    expect(() => succeed('gemini-3-pro-image', model('gemini-3-pro-image'), MODELS, today)).toThrow(
      expect.objectContaining({
        code: 'ERR_MODEL_GONE',
        message: expect.stringContaining('live models: gemini-nano-banana-2.1, gemini-3.1-flash-image,'),
      }),
    )
  })

  test('settings that make two dead models each other’s successors end in an error, not in a stack overflow', () => {
    const dead = { ...model('gemini-3-pro-image'), shutdown: '2026-01-01' }
    const catalogue = { ...MODELS, one: { ...dead, successor: 'two' }, two: { ...dead, successor: 'one' } }
    expect(() => resolveModel('one', catalogue, today)).toThrow(expect.objectContaining({ code: 'ERR_MODEL_GONE' }))
  })
})

describe('a model may be named', () => {
  test.each([
    ['nano-banana-2.1', 'gemini-nano-banana-2.1'],
    ['nano-banana-2', 'gemini-3.1-flash-image'],
    ['nano-banana-pro', 'gemini-3-pro-image'],
    ['nano-banana-2-lite', 'gemini-3.1-flash-lite-image'],
    ['nano-banana', 'gemini-2.5-flash-image'],
    ['gemini-3-pro-image', 'gemini-3-pro-image'],
  ])('%s: %s', (alias, id) => {
    expect(resolveModel(alias, MODELS, today).id).toBe(id)
  })

  test('a current one without a warning, a deprecated one with one', () => {
    expect(resolveModel('gemini-3-pro-image', MODELS, today).warnings).toEqual([])
    expect(resolveModel('gemini-3.1-flash-image', MODELS, today).warnings).toEqual([
      'model gemini-3.1-flash-image is deprecated since 2026-10-06: gemini-nano-banana-2.1 follows it',
    ])
  })

  test.each(['gemini-5-image', 'constructor'])(
    '%s, which nobody knows yet, runs with the newest limits and a warning',
    id => {
      const resolved = resolveModel(id, MODELS, today)
      expect(resolved.id).toBe(id)
      expect(resolved.model).toBe(MODELS['gemini-nano-banana-2.1'])
      expect(resolved.warnings).toEqual([
        `model ${id} is not in the catalogue: it runs with the limits and prices of gemini-nano-banana-2.1`,
      ])
    },
  )
})

test('live are the models that Google serves on that day', () => {
  expect(liveModels(MODELS, today)).toEqual([
    'gemini-nano-banana-2.1',
    'gemini-3.1-flash-image',
    'gemini-3-pro-image',
    'gemini-3.1-flash-lite-image',
    'gemini-2.5-flash-image',
  ])
  expect(liveModels(MODELS, '2027-03-15')).not.toContain('gemini-2.5-flash-image')
})

describe('the pixels that Google prints', () => {
  const flash = model('gemini-3.1-flash-image')
  test.each<[AspectRatio, ImageSize | undefined, string]>([
    ['1:1', undefined, '1024×1024'],
    ['1:1', '1K', '1024×1024'],
    ['16:9', '1K', '1376×768'],
    ['21:9', '1K', '1584×672'],
    ['1:8', '1K', '384×3072'],
    ['3:4', '2K', '1792×2400'],
    ['9:16', '4K', '3072×5504'],
    ['1:1', '512', '512×512'],
    ['1:4', '512', '256×1024'],
    ['2:3', '512', '424×632'],
    ['3:4', '512', '448×600'],
    ['4:5', '512', '464×576'],
    ['9:16', '512', '384×688'],
    ['21:9', '512', '792×336'],
  ])('%s at %s: %s', (ratio, size, pixels) => {
    expect(expectedPixels(flash, ratio, size)?.join('×')).toBe(pixels)
  })

  test('of 2.5 are its own, and it has no more than ten ratios', () => {
    expect(expectedPixels(model('gemini-2.5-flash-image'), '16:9')).toEqual([1344, 768])
    expect(expectedPixels(model('gemini-2.5-flash-image'), '1:8')).toBeUndefined()
  })
})

describe('a photo without a wished ratio comes back in the nearest that the model has', () => {
  test.each([
    ['gemini-nano-banana-2.1', 4000, 3000, '4:3'],
    ['gemini-nano-banana-2.1', 3000, 4000, '3:4'],
    ['gemini-nano-banana-2.1', 1080, 1920, '9:16'],
    ['gemini-nano-banana-2.1', 999, 1000, '1:1'],
    ['gemini-nano-banana-2.1', 9000, 1000, '8:1'],
    ['gemini-3-pro-image', 9000, 1000, '21:9'],
  ])('%s, %d×%d: %s', (id, width, height, ratio) => {
    expect(nearestRatio(model(id), width, height)).toBe(ratio)
  })
})
