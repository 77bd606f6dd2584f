import type { GenerateContentParameters, Part } from '@google/genai/web'
import { groundingWish } from '../grounding.ts'
import type { Job, JobInput } from '../job.ts'
import { labelInput } from '../prompts.ts'
import type { WordsAsk } from '../words.ts'
import { toTools } from './grounding.ts'

/** An input as it goes to the model. */
export type RequestImage = { bytes: Buffer; mimeType: string; role?: JobInput['role'] }

/** Google takes 100 MB a request, base64 included; the rest of the request gets the margin (limits page, 2026-11). */
const INLINE_LIMIT_BYTES = 95_000_000

/** Whether images of these sizes, as base64, fit into one request. */
export function fitsInline(sizesBytes: number[]): boolean {
  return sizesBytes.reduce((total, size) => total + Math.ceil(size / 3) * 4, 0) <= INLINE_LIMIT_BYTES
}

/**
 * One turn for `models.generateContent`: the images in order, each told apart where there are several, then the words.
 * Never temperature, topP, topK or seed: 2.1 refuses them.
 */
export function buildRequest(
  model: string,
  job: Job,
  prompt: string,
  images: RequestImage[],
): GenerateContentParameters {
  const parts: Part[] = images.flatMap((image, index) => {
    const label = labelInput(index, images.length, image.role)
    const picture = { inlineData: { mimeType: image.mimeType, data: image.bytes.toString('base64') } }
    return label ? [{ text: label }, picture] : [picture]
  })
  return {
    model,
    contents: [{ role: 'user', parts: [...parts, { text: prompt }] }],
    config: {
      responseModalities: job.responseModalities ?? ['TEXT', 'IMAGE'],
      imageConfig: job.imageConfig,
      systemInstruction: job.systemInstruction,
      tools: toTools(groundingWish(job)),
      thinkingConfig: job.thinkingConfig as NonNullable<GenerateContentParameters['config']>['thinkingConfig'],
    },
  }
}

/** A question for words, to be answered as JSON. The job's system instruction is meant for who draws, and stays out. */
export function buildWordsRequest(model: string, { prompt, row, wish }: WordsAsk): GenerateContentParameters {
  return {
    model,
    contents: [{ role: 'user', parts: [{ text: prompt }] }],
    config: { responseMimeType: 'application/json', responseJsonSchema: row.schema, tools: toTools(wish) },
  }
}
