import type { Tool } from '@google/genai/web'
import { z } from 'zod'
import { type Grounding, type GroundingWish, joinGroundings, type Source } from '../grounding.ts'

const text = z.string().optional().catch(undefined)
const texts = z.array(z.string().catch('')).catch([]).default([])
const count = z.number().nonnegative().optional().catch(undefined)

const Page = z.object({ uri: text, title: text }).optional().catch(undefined)
/** Google's reference says `sourceUri`, its guide says `uri`. */
const Image = z.object({ sourceUri: text, uri: text, imageUri: text, title: text }).optional().catch(undefined)
const Chunk = z.object({ web: Page, image: Image }).catch({})
const Segment = z.object({ text, startIndex: count, endIndex: count }).optional().catch(undefined)
const Support = z
  .object({ segment: Segment, groundingChunkIndices: z.array(z.int().catch(-1)).catch([]).default([]) })
  .catch({ segment: undefined, groundingChunkIndices: [] })

/** A candidate's `groundingMetadata` in camelCase, read leniently: what is not as documented is treated as absent. */
export const GroundingMetadata = z
  .object({
    webSearchQueries: texts,
    imageSearchQueries: texts,
    searchEntryPoint: z.object({ renderedContent: text }).optional().catch(undefined),
    groundingChunks: z.array(Chunk).catch([]).default([]),
    groundingSupports: z.array(Support).catch([]).default([]),
  })
  .optional()
  .catch(undefined)
type GroundingMetadata = NonNullable<z.infer<typeof GroundingMetadata>>

/** The candidates' groundings as one; `undefined` where none has any. */
export function readGrounding(all: (GroundingMetadata | undefined)[]): Grounding | undefined {
  return joinGroundings(all.map(metadata => metadata && toGrounding(metadata)))
}

function toGrounding(metadata: GroundingMetadata): Grounding {
  const { webSearchQueries, imageSearchQueries, searchEntryPoint, groundingChunks, groundingSupports } = metadata
  const sources: Source[] = []
  const places = groundingChunks.map(chunk => {
    const source = toSource(chunk)
    return source ? sources.push(source) - 1 : undefined
  })
  const supports = groundingSupports.map(({ segment, groundingChunkIndices }) => ({
    ...segment,
    sources: groundingChunkIndices.flatMap(index => places[index] ?? []),
  }))
  return {
    webQueries: webSearchQueries.filter(Boolean),
    imageQueries: imageSearchQueries.filter(Boolean),
    sources,
    ...(searchEntryPoint?.renderedContent && { searchEntryPoint: searchEntryPoint.renderedContent }),
    supports: supports.filter(support => support.sources.length > 0),
  }
}

function toSource({ web, image }: z.infer<typeof Chunk>): Source | undefined {
  if (web?.uri) return { kind: 'web', uri: web.uri, title: web.title }
  const page = image?.sourceUri ?? image?.uri
  return page ? { kind: 'image', uri: page, title: image?.title, imageUri: image?.imageUri } : undefined
}

/** The search that a wish comes to. The plain tool searches the web; the kinds are named only where pictures are wanted. */
export function toTools(wish: GroundingWish | undefined): Tool[] | undefined {
  if (!wish) return undefined
  if (!wish.images) return [{ googleSearch: {} }]
  return [{ googleSearch: { searchTypes: { ...(wish.web && { webSearch: {} }), imageSearch: {} } } }]
}
