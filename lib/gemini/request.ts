import type { Content, GenerateContentParameters, Part } from '@google/genai/web'
import { groundingWish } from '../grounding.ts'
import type { Job, JobInput } from '../job.ts'
import { labelInput } from '../prompts.ts'
import type { WordsAsk } from '../words.ts'
import { toTools } from './grounding.ts'

/** An input as it goes to the model: within the request, or as a file that lies with Google. */
export type RequestImage = { mimeType: string; role?: JobInput['role'] } & ({ bytes: Buffer } | { fileUri: string })

/** Google takes 100 MB a request, base64 included; the rest of the request gets the margin (limits page, 2026-11). */
const INLINE_LIMIT_BYTES = 95_000_000

/** What stays inline beside files: base64 is held three times on its way out, and files aren't held at all. */
const INLINE_BESIDE_FILES_BYTES = 20_000_000

/**
 * Which images go inline: all where they fit beside `takenBytes` of earlier turns, else those that are left when the largest
 * go as files.
 */
export function chooseInline(sizesBytes: number[], takenBytes = 0): boolean[] {
  const inline = sizesBytes.map(() => true)
  if (base64Bytes(sizesBytes) + takenBytes <= INLINE_LIMIT_BYTES) return inline
  const room = Math.min(INLINE_BESIDE_FILES_BYTES, INLINE_LIMIT_BYTES - takenBytes)
  const bySize = sizesBytes.map((size, index) => ({ size, index })).toSorted((a, b) => b.size - a.size)
  for (const { index } of bySize) {
    if (base64Bytes(sizesBytes.filter((_, at) => inline[at])) <= room) break
    inline[index] = false
  }
  return inline
}

function base64Bytes(sizesBytes: number[]): number {
  return sizesBytes.reduce((total, size) => total + Math.ceil(size / 3) * 4, 0)
}

/** A user's turn: the images in order, each told apart where there are several, then the words. */
export function buildTurn(prompt: string, images: readonly RequestImage[]): Content {
  const parts: Part[] = images.flatMap((image, index) => {
    const label = labelInput(index, images.length, image.role)
    const { mimeType } = image
    const picture: Part =
      'bytes' in image
        ? { inlineData: { mimeType, data: image.bytes.toString('base64') } }
        : { fileData: { mimeType, fileUri: image.fileUri } }
    return label ? [{ text: label }, picture] : [picture]
  })
  return { role: 'user', parts: [...parts, { text: prompt }] }
}

/**
 * One turn for `models.generateContent`, behind those of `history`. Never temperature, topP, topK or seed: 2.1 refuses them.
 */
export function buildRequest(
  model: string,
  job: Job,
  prompt: string,
  images: readonly RequestImage[],
  history: readonly Content[] = [],
): GenerateContentParameters {
  const turn = buildTurn(prompt, images)
  return {
    model,
    // The SDK drops names that it doesn't know; what the model said goes back around it, as it came.
    contents: history.length > 0 ? prompt : [turn],
    config: {
      ...(history.length > 0 && { httpOptions: { extraBody: { contents: [...history, turn] } } }),
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
