import type { Job } from './job.ts'
import { PROMPTS, type PromptRow } from './prompts.ts'

/** A page, or a picture with the page it stands on, that a search found. The strings are as they came: nobody vouches for them. */
export type Source = { kind: 'web' | 'image'; uri: string; title?: string; imageUri?: string }

/** What a reply was looked up from. */
export type Grounding = {
  webQueries: string[]
  imageQueries: string[]
  sources: Source[]
  /** Google's search suggestions: HTML that its terms want shown as it came. */
  searchEntryPoint?: string
  /** Which words stand on which sources, by their place in `sources`. */
  supports: { text?: string; startIndex?: number; endIndex?: number; sources: number[] }[]
}

/** What is to be looked up for a job, and whether a reply without it counts. */
export type GroundingWish = { web: boolean; images: boolean; required: boolean }

/**
 * The job's wish, or what its operation does by itself: a weather graphic without a forecast in its slot looks one up, and
 * is no result without. `undefined` where nothing is looked up.
 */
export function groundingWish({ operation, grounding, slots }: Job): GroundingWish | undefined {
  const { looksUp }: PromptRow = PROMPTS[operation]
  const byItself = looksUp !== undefined && slots?.[looksUp.slot] === undefined
  if (!grounding && !byItself) return undefined
  const { images = false, required = byItself } = grounding ?? {}
  return { web: grounding?.web ?? !images, images, required }
}

/**
 * Whether anything was looked up. Replies that searched and name no source are reported of Gemini 3 (googleapis/dotnet-genai
 * 230), so a query counts.
 */
export function isGrounded(grounding: Grounding | undefined): grounding is Grounding {
  if (!grounding) return false
  const { sources, webQueries, imageQueries, searchEntryPoint } = grounding
  return sources.length + webQueries.length + imageQueries.length > 0 || searchEntryPoint !== undefined
}

/** Several groundings as one; `undefined` where there is none. */
export function joinGroundings(all: readonly (Grounding | undefined)[]): Grounding | undefined {
  return all.reduce<Grounding | undefined>(
    (joined, next) => (joined && next ? join(joined, next) : (joined ?? next)),
    undefined,
  )
}

function join(one: Grounding, other: Grounding): Grounding {
  const html = [one.searchEntryPoint, other.searchEntryPoint].filter(part => part !== undefined)
  const moved = other.supports.map(support => ({
    ...support,
    sources: support.sources.map(place => place + one.sources.length),
  }))
  return {
    webQueries: [...one.webQueries, ...other.webQueries],
    imageQueries: [...one.imageQueries, ...other.imageQueries],
    sources: [...one.sources, ...other.sources],
    ...(html.length > 0 && { searchEntryPoint: html.join('\n') }),
    supports: [...one.supports, ...moved],
  }
}

/** What the result says of a grounding that is less than was asked for. */
export function groundingWarnings(wish: GroundingWish | undefined, grounding: Grounding | undefined): string[] {
  if (!wish) return []
  if (!isGrounded(grounding)) return ['asked for grounding, the reply has none']
  return grounding.sources.length === 0 ? ['the reply was looked up, but names no source'] : []
}

/** A grounding as `result.json` has it; all of it is in `attribution.json`. */
export function toResultGrounding(
  grounding: Grounding | undefined,
): { queries: string[]; sources: Source[] } | undefined {
  if (!isGrounded(grounding)) return undefined
  const { webQueries, imageQueries, sources } = grounding
  return { queries: [...webQueries, ...imageQueries], sources }
}
