import type { ImageSize, Model } from '../../../lib/models.ts'

/** Thinking tokens by level, of the order that recorded replies show (Pro: 337). */
const THOUGHT_TOKENS: Readonly<Record<string, number>> = { MINIMAL: 64, LOW: 180, MEDIUM: 340, HIGH: 912 }
/** An image's input tokens on models that read only: Google's tile of 258. */
const READER_IMAGE_TOKENS = 258

type Modality = { modality: 'TEXT' | 'IMAGE'; tokenCount: number }
export type Usage = {
  promptTokenCount: number
  promptTokensDetails: Modality[]
  candidatesTokenCount?: number
  candidatesTokensDetails?: Modality[]
  thoughtsTokenCount?: number
  totalTokenCount: number
}

/** About four characters a token. */
export function textTokens(text: string): number {
  return Math.ceil(text.length / 4)
}

/** What the prompt costs in tokens: its text and its images. */
export function promptUsage(model: Model | undefined, prompt: string, images: number): Usage {
  const text = textTokens(prompt)
  const image = images * (model?.inputImageTokens ?? READER_IMAGE_TOKENS)
  const details: Modality[] = [{ modality: 'TEXT', tokenCount: text }]
  if (images) details.push({ modality: 'IMAGE', tokenCount: image })
  return { promptTokenCount: text + image, promptTokensDetails: details, totalTokenCount: text + image }
}

/** Tokens of one output image. */
export function imageTokens(model: Model, size: ImageSize): number {
  return model.imageTokens[size] ?? model.imageTokens['1K'] ?? 1120
}

/** Thinking is billed whether or not the thoughts are shown. */
export function thoughtTokens(thinks: boolean, level = 'MEDIUM'): number {
  return thinks ? (THOUGHT_TOKENS[level] ?? 340) : 0
}

/** The prompt's usage and the reply's; the total is their sum. As in recorded replies, only images have a detail row. */
export function replyUsage(prompt: Usage, reply: { text: string; imageTokens: number; thoughts: number }): Usage {
  const candidates = textTokens(reply.text) + reply.imageTokens
  const images: Modality[] = reply.imageTokens ? [{ modality: 'IMAGE', tokenCount: reply.imageTokens }] : []
  return {
    ...prompt,
    candidatesTokenCount: candidates,
    ...(images.length && { candidatesTokensDetails: images }),
    ...(reply.thoughts && { thoughtsTokenCount: reply.thoughts }),
    totalTokenCount: prompt.promptTokenCount + candidates + reply.thoughts,
  }
}
