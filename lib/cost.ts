import type { ImageSize, Model } from './models.ts'

export type Lane = 'now' | 'batch'

/** Tokens by modality, as Gemini counts them (`usageMetadata`). Every field may be missing. */
export type Usage = {
  promptTokenCount?: number
  candidatesTokenCount?: number
  thoughtsTokenCount?: number
  totalTokenCount?: number
  candidatesTokensDetails?: { modality?: string; tokenCount?: number }[]
}

const PER_TOKEN = 1e-6
/** Batch is half of everything (Google's price page, 2026-10). */
const LANE_RATE = { now: 1, batch: 0.5 } as const satisfies Record<Lane, number>

/** US dollars of one reply: its IMAGE tokens at the image rate, other output and thoughts at the text rate, the prompt at the input rate. */
export function costOf(usage: Usage, model: Model, lane: Lane): number {
  const image = sum(
    (usage.candidatesTokensDetails ?? []).filter(row => row.modality === 'IMAGE').map(row => row.tokenCount ?? 0),
  )
  const text = Math.max(0, (usage.candidatesTokenCount ?? 0) - image) + (usage.thoughtsTokenCount ?? 0)
  const { prices } = model
  const usd = (usage.promptTokenCount ?? 0) * prices.input + text * prices.text + image * prices.image
  return usd * PER_TOKEN * LANE_RATE[lane]
}

/** The tokens of several replies to one job, or `undefined` where there was none. */
export function addUsage(usages: readonly Usage[]): Usage | undefined {
  if (usages.length === 0) return undefined
  const add = (count: (usage: Usage) => number | undefined) => sum(usages.map(usage => count(usage) ?? 0))
  const details = usages.flatMap(usage => usage.candidatesTokensDetails ?? [])
  const modalities = [...new Set(details.map(row => row.modality))]
  return {
    promptTokenCount: add(usage => usage.promptTokenCount),
    candidatesTokenCount: add(usage => usage.candidatesTokenCount),
    thoughtsTokenCount: add(usage => usage.thoughtsTokenCount),
    totalTokenCount: add(usage => usage.totalTokenCount),
    candidatesTokensDetails: modalities.map(modality => ({
      modality,
      tokenCount: sum(details.filter(row => row.modality === modality).map(row => row.tokenCount ?? 0)),
    })),
  }
}

/**
 * Google's price of a web query for models of 2026 (price page, 2026-10). The first 5,000 a month are free to the account, and
 * nobody but Google knows how many it has used: what is told here is the most that a reply can have cost. Image search has no
 * price of its own on that page.
 */
const WEB_QUERY_USD = 14 / 1000

/** US dollars of a reply's web queries; half price holds for tokens only. */
export function searchCostOf(webQueries: number): number {
  return webQueries * WEB_QUERY_USD
}

/** US dollars that a call for one image may cost, before it is made: what Google's price list says, with room for thoughts. */
export function estimateCost(
  model: Model,
  wish: { inputs: number; promptBytes: number; imageSize?: ImageSize; lane: Lane },
): number {
  const size = wish.imageSize ?? '1K'
  const imageTokens = model.imageTokens[size] ?? model.imageTokens['1K'] ?? 0
  const usage: Usage = {
    // A token is rarely shorter than three bytes of text.
    promptTokenCount: wish.inputs * model.inputImageTokens + Math.ceil(wish.promptBytes / 3),
    candidatesTokenCount: imageTokens,
    candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: imageTokens }],
    thoughtsTokenCount: model.thinks ? 500 : 0,
  }
  return costOf(usage, model, wish.lane)
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, value) => total + value, 0)
}
