import { z } from 'zod'
import { EditError } from './errors.ts'

/** Output sizes as Gemini spells them: upper case, and `512` without a K. */
export const IMAGE_SIZES = ['512', '1K', '2K', '4K'] as const
export type ImageSize = (typeof IMAGE_SIZES)[number]

/** Pixels at 1K, width × height, by ratio (Google's image guide, 2026-11). */
const PIXELS_1K = {
  '1:1': [1024, 1024],
  '2:3': [848, 1264],
  '3:2': [1264, 848],
  '3:4': [896, 1200],
  '4:3': [1200, 896],
  '4:5': [928, 1152],
  '5:4': [1152, 928],
  '9:16': [768, 1376],
  '16:9': [1376, 768],
  '21:9': [1584, 672],
  '1:4': [512, 2048],
  '4:1': [2048, 512],
  '1:8': [384, 3072],
  '8:1': [3072, 384],
} as const satisfies Record<string, readonly [width: number, height: number]>

export type AspectRatio = keyof typeof PIXELS_1K
export const ASPECT_RATIOS = Object.keys(PIXELS_1K) as AspectRatio[]
const TEN_RATIOS = ASPECT_RATIOS.slice(0, 10)

type Pixels = readonly [width: number, height: number]

/** Where 512 is not half of 1K (same source). */
const PIXELS_512: Partial<Record<AspectRatio, Pixels>> = {
  '2:3': [424, 632],
  '3:2': [632, 424],
  '3:4': [448, 600],
  '4:3': [600, 448],
  '4:5': [464, 576],
  '5:4': [576, 464],
  '9:16': [384, 688],
  '16:9': [688, 384],
}

/** The one size of Gemini 2.5, by ratio (same source). */
const PIXELS_LEGACY: Partial<Record<AspectRatio, Pixels>> = {
  '1:1': [1024, 1024],
  '2:3': [832, 1248],
  '3:2': [1248, 832],
  '3:4': [864, 1184],
  '4:3': [1184, 864],
  '4:5': [896, 1152],
  '5:4': [1152, 896],
  '9:16': [768, 1344],
  '16:9': [1344, 768],
  '21:9': [1536, 672],
}

export const THINKING_LEVELS = ['MINIMAL', 'LOW', 'MEDIUM', 'HIGH'] as const

/**
 * What a model takes, gives and costs. `settings.json` may add models or change these fields.
 * Prices are US dollars per million tokens, for the `now` lane; `imageTokens` are output tokens of one image by size.
 */
export const Model = z.strictObject({
  nickname: z.string(),
  /** A short name that jobs may use for the id. */
  alias: z.string().optional(),
  /** A deprecated model still runs, with a warning. */
  deprecated: z.iso.date().optional(),
  /** When Google shuts, or shut, it down. From this day on its successor runs instead. */
  shutdown: z.iso.date().optional(),
  successor: z.string().optional(),
  /** Empty: the size can't be chosen. */
  sizes: z.array(z.enum(IMAGE_SIZES)),
  ratios: z.array(z.enum(ASPECT_RATIOS as [AspectRatio, ...AspectRatio[]])),
  pixels: z.enum(['gemini-3', 'gemini-2.5']),
  mimeType: z.enum(['image/jpeg', 'image/png']),
  /** Empty: the level can't be chosen. */
  thinkingLevels: z.array(z.enum(THINKING_LEVELS)),
  thinks: z.boolean(),
  grounding: z.array(z.enum(['web', 'images'])),
  /** Limits of input images, all together and by role; `best` is where quality begins to fall. */
  references: z.strictObject({
    most: z.int(),
    object: z.int().optional(),
    character: z.int().optional(),
    best: z.int().optional(),
  }),
  inputImageTokens: z.int(),
  imageTokens: z.partialRecord(z.enum(IMAGE_SIZES), z.int()),
  prices: z.strictObject({ input: z.number(), text: z.number(), image: z.number(), asOf: z.iso.date() }),
  requestsPerMinute: z.number().positive().optional(),
})
export type Model = z.infer<typeof Model>
export type Catalogue = Readonly<Record<string, Model>>

export const DEFAULT_MODEL = 'gemini-nano-banana-2.1'

const FLASH_31: Model = {
  nickname: 'Nano Banana 2',
  alias: 'nano-banana-2',
  deprecated: '2026-10-06',
  successor: DEFAULT_MODEL,
  sizes: ['512', '1K', '2K', '4K'],
  ratios: ASPECT_RATIOS,
  pixels: 'gemini-3',
  mimeType: 'image/jpeg',
  thinkingLevels: ['MINIMAL', 'HIGH'],
  thinks: true,
  grounding: ['web', 'images'],
  references: { most: 14, object: 10, character: 4 },
  inputImageTokens: 1120,
  imageTokens: { '512': 747, '1K': 1120, '2K': 1680, '4K': 2520 },
  prices: { input: 0.5, text: 3, image: 60, asOf: '2026-10-31' },
}

const PRO: Model = {
  nickname: 'Nano Banana Pro',
  alias: 'nano-banana-pro',
  sizes: ['1K', '2K', '4K'],
  ratios: TEN_RATIOS,
  pixels: 'gemini-3',
  mimeType: 'image/jpeg',
  thinkingLevels: [],
  thinks: true,
  grounding: ['web'],
  references: { most: 14, object: 6, character: 5 },
  inputImageTokens: 560,
  imageTokens: { '1K': 1120, '2K': 1120, '4K': 2000 },
  prices: { input: 2, text: 12, image: 120, asOf: '2026-10-31' },
}

const NEWEST: Model = {
  nickname: 'Nano Banana 2.1',
  alias: 'nano-banana-2.1',
  sizes: ['1K', '2K', '4K'],
  ratios: ASPECT_RATIOS,
  pixels: 'gemini-3',
  mimeType: 'image/jpeg',
  thinkingLevels: ['MINIMAL', 'MEDIUM', 'HIGH'],
  thinks: true,
  grounding: ['web', 'images'],
  references: { most: 14, object: 10, character: 4 },
  inputImageTokens: 1120,
  imageTokens: { '1K': 1120, '2K': 1680, '4K': 3780 },
  prices: { input: 1.5, text: 7.5, image: 30, asOf: '2026-10-31' },
}

const LEGACY: Model = {
  nickname: 'Nano Banana',
  alias: 'nano-banana',
  deprecated: '2026-10-06',
  shutdown: '2027-03-15',
  successor: DEFAULT_MODEL,
  sizes: [],
  ratios: TEN_RATIOS,
  pixels: 'gemini-2.5',
  mimeType: 'image/png',
  thinkingLevels: [],
  thinks: false,
  grounding: [],
  references: { most: 14, best: 3 },
  inputImageTokens: 1290,
  imageTokens: { '1K': 1290 },
  prices: { input: 0.3, text: 2.5, image: 30, asOf: '2026-10-31' },
}

/** A model that Google no longer serves: only its successor matters. */
function retired(nickname: string, shutdown: string, successor: string, like: Model): Model {
  return { ...like, nickname, alias: undefined, deprecated: undefined, shutdown, successor }
}

/** Every image model of Google's guide, live or gone (Google's model and price pages, 2026-11-21). */
export const MODELS: Catalogue = {
  [DEFAULT_MODEL]: NEWEST,
  'gemini-3.1-flash-image': FLASH_31,
  'gemini-3-pro-image': PRO,
  'gemini-3.1-flash-lite-image': {
    ...FLASH_31,
    nickname: 'Nano Banana 2 Lite',
    alias: 'nano-banana-2-lite',
    deprecated: undefined,
    successor: undefined,
    sizes: ['1K'],
    grounding: [],
    references: { most: 14, best: 3 },
    imageTokens: { '1K': 1120 },
    prices: { input: 0.25, text: 1.5, image: 30, asOf: '2026-10-31' },
  },
  'gemini-2.5-flash-image': LEGACY,
  'gemini-3.1-flash-image-preview': retired('Nano Banana 2 preview', '2026-06-25', 'gemini-3.1-flash-image', FLASH_31),
  'gemini-3-pro-image-preview': retired('Nano Banana Pro preview', '2026-06-25', 'gemini-3-pro-image', PRO),
  'gemini-2.5-flash-image-preview': retired('Nano Banana preview', '2026-01-15', 'gemini-2.5-flash-image', LEGACY),
  'imagen-4.0-generate-001': retired('Imagen 4', '2026-08-17', DEFAULT_MODEL, NEWEST),
  'imagen-4.0-fast-generate-001': retired('Imagen 4 Fast', '2026-08-17', DEFAULT_MODEL, NEWEST),
  'imagen-4.0-ultra-generate-001': retired('Imagen 4 Ultra', '2026-08-17', 'gemini-3-pro-image', PRO),
}

type ResolvedModel = { id: string; model: Model; warnings: string[] }

/**
 * The model that runs when `requested` (an id or alias) is asked for on `today` (YYYY-MM-DD): itself, or the successor of one
 * that was shut down. An id that the catalogue doesn't know runs with the newest model's limits, and a warning.
 */
export function resolveModel(requested: string, catalogue: Catalogue, today: string): ResolvedModel {
  const id = idOf(requested, catalogue)
  const model = Object.hasOwn(catalogue, id) ? catalogue[id] : undefined
  if (!model) {
    const warnings = [`model ${id} is not in the catalogue: it runs with the limits and prices of ${DEFAULT_MODEL}`]
    return { id, model: catalogue[DEFAULT_MODEL] ?? NEWEST, warnings }
  }
  if (model.shutdown && model.shutdown <= today) return succeed(id, model, catalogue, today)
  const warnings = model.deprecated
    ? [`model ${id} is deprecated since ${model.deprecated}: ${model.successor} follows it`]
    : []
  return { id, model, warnings }
}

/** The successor of a model that is gone, by date or by Google's 404; throws `ERR_MODEL_GONE` where there is none. */
export function succeed(id: string, model: Model, catalogue: Catalogue, today: string): ResolvedModel {
  const next = model.successor
  if (!next || next === id || !catalogue[next]) {
    const live = liveModels(catalogue, today).join(', ')
    throw new EditError('ERR_MODEL_GONE', `model ${id} is no longer served and has no successor; live models: ${live}`)
  }
  // Without the one that is gone, two dead models that settings make each other's successors end here.
  const { [id]: _, ...others } = catalogue
  const successor = resolveModel(next, others, today)
  const since = model.shutdown ? `was shut down on ${model.shutdown}` : 'is no longer served'
  return { ...successor, warnings: [`model ${id} ${since}: ${successor.id} ran instead`, ...successor.warnings] }
}

/** Ids that Google serves on `today` (YYYY-MM-DD). */
export function liveModels(catalogue: Catalogue, today: string): string[] {
  return Object.keys(catalogue).filter(id => !(catalogue[id]?.shutdown && catalogue[id].shutdown <= today))
}

function idOf(requested: string, catalogue: Catalogue): string {
  if (Object.hasOwn(catalogue, requested)) return requested
  return Object.keys(catalogue).find(id => catalogue[id]?.alias === requested) ?? requested
}

/** Pixels that a model answers with for a ratio and size; `undefined` where nothing is documented. */
export function expectedPixels(model: Model, ratio: AspectRatio, size: ImageSize = '1K'): Pixels | undefined {
  if (model.pixels === 'gemini-2.5') return PIXELS_LEGACY[ratio]
  const [width, height] = PIXELS_1K[ratio]
  if (size === '512') return PIXELS_512[ratio] ?? [width / 2, height / 2]
  const times = { '1K': 1, '2K': 2, '4K': 4 }[size]
  return [width * times, height * times]
}

/** The model's ratio nearest to a picture of these pixels: what Gemini answers with where the job names none. */
export function nearestRatio(model: Model, width: number, height: number): AspectRatio {
  const wanted = Math.log(width / height)
  const distance = (ratio: AspectRatio) => {
    const [w, h] = PIXELS_1K[ratio]
    return Math.abs(Math.log(w / h) - wanted)
  }
  return model.ratios.toSorted((a, b) => distance(a) - distance(b))[0] ?? '1:1'
}
