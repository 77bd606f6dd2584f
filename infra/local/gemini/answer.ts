import { randomUUID } from 'node:crypto'
import { type AspectRatio, expectedPixels, type ImageSize, type Model, nearestRatio } from '../../../lib/models.ts'
import { type Attachment, allText, countImages } from './attachments.ts'
import type { GenerateRequest, Part } from './generate-request.ts'
import { draft, draw, type ImageType, sit } from './pictures/draw.ts'
import type { Frame } from './pictures/raster.ts'
import { sign } from './signatures.ts'
import { imageTokens, promptUsage, replyUsage, textTokens, thoughtTokens, type Usage } from './usage.ts'

/** A request that passed every rule, with its images as bytes. */
export type Ask = { id: string; model: Model; request: GenerateRequest; prompt: string; inputs: Attachment[] }

export type Candidate = {
  content?: { role: 'model'; parts: Part[] }
  finishReason: string
  finishMessage?: string
  index: number
  groundingMetadata?: unknown
}
export type Answer = {
  candidates?: Candidate[]
  promptFeedback?: { blockReason: string; blockReasonMessage?: string }
  usageMetadata: Usage
  modelVersion: string
  responseId: string
}

/** Text signatures are short beside those of pictures. */
const TEXT_SIGNATURE_BYTES = 1200

/** What an image model answers: thoughts where they are asked for, words unless only pictures are, and the picture. */
export async function answerWithImage(ask: Ask): Promise<Answer> {
  const modalities = ask.request.generationConfig?.responseModalities ?? ['TEXT', 'IMAGE']
  const image = modalities.includes('IMAGE') ? await drawFor(ask) : undefined
  const words = modalities.includes('TEXT') || !image ? sayFor(ask) : undefined
  const parts: Part[] = []
  if (showsThoughts(ask)) parts.push(...(await thoughtsFor(ask, image)))
  if (words) parts.push(signed(ask, { text: words }, words, TEXT_SIGNATURE_BYTES))
  if (image) parts.push(imagePart(ask, image))
  return toAnswer(ask, [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }])
}

/** An answer around these candidates, with usage that adds up over what they hold. */
export function toAnswer(ask: Ask, candidates: Candidate[]): Answer {
  const parts = candidates.flatMap(candidate => candidate.content?.parts ?? [])
  const shown = parts.filter(part => !part.thought)
  const images = shown.filter(part => part.inlineData).length
  const usage = replyUsage(askUsage(ask), {
    text: shown.map(part => part.text ?? '').join(''),
    imageTokens: images * imageTokens(ask.model, sizeOf(ask)),
    thoughts: thoughtTokens(ask.model.thinks, ask.request.generationConfig?.thinkingConfig?.thinkingLevel),
  })
  return { candidates, usageMetadata: usage, modelVersion: ask.id, responseId: newResponseId() }
}

export function askUsage(ask: Ask): Usage {
  return promptUsage(ask.model, allText(ask.request), countImages(ask.request))
}

export function newResponseId(): string {
  return randomUUID().replaceAll('-', '').slice(0, 22)
}

/** The picture for this request, at the pixels that the model's ratio and size come to. */
export async function drawFor(ask: Ask, frame?: Frame): Promise<Buffer> {
  const sitting = await sit(ask.prompt, ask.inputs)
  return draw(sitting, frame ?? frameFor(ask, sitting.pictures.at(-1)), ask.model.mimeType)
}

export function imagePart(ask: Ask, image: Buffer, mimeType: ImageType = ask.model.mimeType): Part {
  return signed(ask, { inlineData: { mimeType, data: image.toString('base64') } }, image, image.length)
}

export function textPart(ask: Ask, text: string): Part {
  return signed(ask, { text }, text, TEXT_SIGNATURE_BYTES)
}

/** A draft of the picture, as a thought: it bears no signature. */
export async function thoughtImage(ask: Ask, image: Buffer): Promise<Part> {
  const data = (await draft(image, ask.model.mimeType)).toString('base64')
  return { inlineData: { mimeType: ask.model.mimeType, data }, thought: true }
}

export function sayFor({ prompt, inputs }: Pick<Ask, 'prompt' | 'inputs'>): string {
  const short = prompt.length > 120 ? `${prompt.slice(0, 119)}…` : prompt
  const doing = inputs.length ? 'Here is the edited picture' : 'Here is the picture'
  return `${doing} (drawn by a stand-in, not by Gemini): ${short || 'no words were given'}`
}

function showsThoughts({ model, request }: Ask): boolean {
  return model.thinks && request.generationConfig?.thinkingConfig?.includeThoughts === true
}

async function thoughtsFor(ask: Ask, image: Buffer | undefined): Promise<Part[]> {
  const about = `**Composing the picture**\n\nThe wish is ${textTokens(ask.prompt)} tokens long and brings ${ask.inputs.length} images. A draft comes first.`
  const text: Part = { text: about, thought: true }
  return image ? [text, await thoughtImage(ask, image)] : [text]
}

function signed(ask: Ask, part: Part, content: string | Buffer, sizeBytes: number): Part {
  return ask.model.thinks ? { ...part, thoughtSignature: sign(ask.id, content, sizeBytes) } : part
}

function sizeOf({ request }: Ask): ImageSize {
  return (request.generationConfig?.imageConfig?.imageSize as ImageSize | undefined) ?? '1K'
}

function frameFor(ask: Ask, like: Frame | undefined): Frame {
  const named = ask.request.generationConfig?.imageConfig?.aspectRatio as AspectRatio | undefined
  const ratio = named ?? (like ? nearestRatio(ask.model, like.width, like.height) : '1:1')
  const [width, height] = expectedPixels(ask.model, ratio, sizeOf(ask)) ?? [1024, 1024]
  return { width, height }
}
