import {
  type Answer,
  type Ask,
  askUsage,
  type Candidate,
  drawFor,
  imagePart,
  newResponseId,
  sayFor,
  textPart,
  thoughtImage,
  toAnswer,
} from './answer.ts'
import type { Part } from './generate-request.ts'

export type ForcedReply = (ask: Ask) => Answer | Promise<Answer>

/** Reasons to stop that come without a picture (Google's reference, 2026-11). */
const FINISHES = [
  'MAX_TOKENS',
  'SAFETY',
  'RECITATION',
  'LANGUAGE',
  'OTHER',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
  'MALFORMED_FUNCTION_CALL',
  'IMAGE_SAFETY',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
  'IMAGE_PROHIBITED_CONTENT',
  'NO_IMAGE',
  'IMAGE_RECITATION',
  'IMAGE_OTHER',
  'CONTINUATION',
  'MALFORMED_RESPONSE',
] as const
type Finish = (typeof FINISHES)[number]

const BLOCKS = ['SAFETY', 'OTHER', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'IMAGE_SAFETY'] as const
type Block = (typeof BLOCKS)[number]

const MESSAGES: Partial<Record<Finish, string>> = {
  IMAGE_SAFETY:
    "Unable to show the generated image. The image was filtered out because it violated Google's Generative AI Prohibited Use policy. Try rephrasing the prompt.",
  NO_IMAGE: 'Unable to show the generated image. The model could not generate the image based on the prompt provided.',
  IMAGE_OTHER: 'Unable to show the generated image. Try rephrasing the prompt.',
}

const finishRows = Object.fromEntries(
  FINISHES.map(finish => [
    finish,
    (ask: Ask) => one(ask, [], finish, MESSAGES[finish] ?? `Generation stopped: ${finish}.`),
  ]),
) as Record<Finish, ForcedReply>

const blockRows = Object.fromEntries(
  BLOCKS.map(block => [`blocked-${block}`, (ask: Ask) => blocked(ask, block)]),
) as Record<`blocked-${Block}`, ForcedReply>

/** Every reply that is out of the ordinary, by name: finish reasons as they are, block reasons behind `blocked-`. */
export const REPLIES = {
  ...finishRows,
  ...blockRows,
  'no-candidates': ask => {
    const { candidates: _, ...rest } = toAnswer(ask, [])
    return rest
  },
  'empty-content': ask => ({ ...toAnswer(ask, []), candidates: [{ finishReason: 'STOP', index: 0 }] }),
  'text-only': ask => one(ask, [textPart(ask, "I can't make that picture, but I can describe it for you.")]),
  'several-images': async ask => one(ask, [...(await images(ask, 1)), ...(await images(ask, 2))]),
  'several-candidates': async ask => {
    const drawn = [await images(ask, 1), await images(ask, 2)]
    return toAnswer(
      ask,
      drawn.map((parts, index) => ({ ...toCandidate(parts), index })),
    )
  },
  interleaved: async ask => {
    const [first, second] = [await images(ask, 1), await images(ask, 2)]
    return one(ask, [textPart(ask, 'First step.'), ...first, { text: 'Second step.' }, ...second])
  },
  'thought-only': async ask => one(ask, [await thoughtImage(ask, await drawFor(ask))]),
  'thought-first': async ask => {
    const image = await drawFor(ask)
    const thoughts: Part[] = [{ text: 'A draft first.', thought: true }, await thoughtImage(ask, image)]
    return one(ask, [...thoughts, textPart(ask, sayFor(ask)), imagePart(ask, image)])
  },
  'wrong-mime': async ask => {
    const image = await drawFor({ ...ask, model: { ...ask.model, mimeType: 'image/png' } })
    return one(ask, [imagePart(ask, image, 'image/jpeg')])
  },
  'unreadable-image': ask => one(ask, [imagePart(ask, Buffer.from('no picture at all, only words'.repeat(40)))]),
  'truncated-image': async ask => {
    const image = await drawFor(ask)
    return one(ask, [imagePart(ask, image.subarray(0, image.length >> 1))])
  },
  'max-tokens-with-image': async ask => one(ask, await images(ask, 1), 'MAX_TOKENS'),
  'unknown-finish': ask => one(ask, [], 'IMAGE_MOOD', 'The model was not in the mood.'),
  'unknown-finish-with-image': async ask => one(ask, await images(ask, 1), 'IMAGE_MOOD'),
  // For thousands of calls: a hundredth of the work of a picture of the right size.
  'tiny-image': async ask => one(ask, [imagePart(ask, await drawFor(ask, { width: 64, height: 64 }))]),
  'wrong-size': async ask => one(ask, [imagePart(ask, await drawFor(ask, { width: 1024, height: 1024 }))]),
  ungrounded: async ask => one(ask, [textPart(ask, sayFor(ask)), ...(await images(ask, 1))]),
  'other-model-version': async ask => {
    const other = ask.id === 'gemini-3-pro-image' ? 'gemini-nano-banana-2.1' : 'gemini-3-pro-image'
    return { ...one(ask, await images(ask, 1)), modelVersion: other }
  },
} as const satisfies Record<string, ForcedReply>

export type ReplyName = keyof typeof REPLIES

function one(ask: Ask, parts: Part[], finishReason = 'STOP', finishMessage?: string): Answer {
  return toAnswer(ask, [{ ...toCandidate(parts, finishReason), ...(finishMessage && { finishMessage }) }])
}

function toCandidate(parts: Part[], finishReason = 'STOP'): Candidate {
  return { ...(parts.length && { content: { role: 'model', parts } }), finishReason, index: 0 }
}

function blocked(ask: Ask, blockReason: Block): Answer {
  const promptFeedback = { blockReason, blockReasonMessage: `The prompt was blocked: ${blockReason}.` }
  return { promptFeedback, usageMetadata: askUsage(ask), modelVersion: ask.id, responseId: newResponseId() }
}

/** The `take`th picture for this request: other words give another picture. */
async function images(ask: Ask, take: number): Promise<Part[]> {
  const prompt = take > 1 ? `${ask.prompt} (${take})` : ask.prompt
  return [imagePart(ask, await drawFor({ ...ask, prompt }))]
}
