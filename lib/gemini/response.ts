import { z } from 'zod'
import type { Part, Reply } from '../parts.ts'
import { GroundingMetadata, readGrounding } from './grounding.ts'

/**
 * The reply's JSON as Google sends it, read leniently: a field that is missing, null or of another type than documented is
 * treated as absent, because a reply that came has been paid for. Old recordings spell names in snake_case; both are read.
 */
export function readReply(json: unknown): Reply {
  const { candidates, promptFeedback, usageMetadata, modelVersion, responseId } = Wire.parse(toCamelCase(json))
  const feedback = promptFeedback ?? {}
  // The answer's own reason matters, so the candidate with a picture speaks for a reply with several.
  const speaker = candidates.find(candidate => partsOf(candidate).some(isAnswerImage)) ?? candidates[0]
  return {
    parts: candidates.flatMap(partsOf),
    finishReason: speaker?.finishReason,
    finishMessage: speaker?.finishMessage,
    blockReason: feedback.blockReason,
    blockMessage: feedback.blockReasonMessage,
    modelVersion,
    responseId,
    grounding: readGrounding(candidates.map(candidate => candidate.groundingMetadata)),
    usage: usageMetadata ?? {},
  }
}

function isAnswerImage(part: Part): boolean {
  return part.kind === 'image' && !part.thought
}

const text = z.string().optional().catch(undefined)
const count = z.number().nonnegative().optional().catch(undefined)
const flag = z.boolean().optional().catch(undefined)

const WirePart = z.object({
  text,
  thought: flag,
  inlineData: z.object({ data: z.string(), mimeType: text }).optional().catch(undefined),
})

const WireCandidate = z.object({
  finishReason: text,
  finishMessage: text,
  groundingMetadata: GroundingMetadata,
  content: z
    .object({ parts: z.array(WirePart.catch({})).catch([]) })
    .optional()
    .catch(undefined),
})

const Wire = z
  .object({
    candidates: z.array(WireCandidate.catch({})).catch([]),
    promptFeedback: z.object({ blockReason: text, blockReasonMessage: text }).optional().catch(undefined),
    usageMetadata: z
      .object({
        promptTokenCount: count,
        candidatesTokenCount: count,
        thoughtsTokenCount: count,
        totalTokenCount: count,
        candidatesTokensDetails: z
          .array(z.object({ modality: text, tokenCount: count }).catch({}))
          .optional()
          .catch(undefined),
      })
      .optional()
      .catch(undefined),
    modelVersion: text,
    responseId: text,
  })
  .catch({
    candidates: [],
    promptFeedback: undefined,
    usageMetadata: undefined,
    modelVersion: undefined,
    responseId: undefined,
  })

function partsOf(candidate: z.infer<typeof WireCandidate>): Part[] {
  return (candidate.content?.parts ?? []).flatMap(({ text, inlineData, thought = false }): Part[] => [
    ...(text ? [{ kind: 'text' as const, text, thought }] : []),
    ...(inlineData?.data
      ? [
          {
            kind: 'image' as const,
            bytes: Buffer.from(inlineData.data, 'base64'),
            declaredType: inlineData.mimeType ?? 'unknown',
            thought,
          },
        ]
      : []),
  ])
}

/** No field that is read lies deeper, and a reply that nests without end is somebody's joke. */
const DEEPEST = 12

function toCamelCase(value: unknown, depth = 0): unknown {
  if (depth > DEEPEST) return undefined
  if (Array.isArray(value)) return value.map(inner => toCamelCase(inner, depth + 1))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      toCamelCase(inner, depth + 1),
    ]),
  )
}
