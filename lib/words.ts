import { z } from 'zod'
import { EditError } from './errors.ts'
import { type GroundingWish, groundingWarnings, groundingWish, isGrounded } from './grounding.ts'
import type { Job, Operation } from './job.ts'
import type { Model } from './models.ts'
import { type Reply, wordsOf } from './parts.ts'
import { fillSentences } from './prompts.ts'
import { judgeReply, type Verdict } from './result.ts'

/** What a picture is to show, where the job leaves that to a text model: the question, the form of the answer and its slot. */
type WordsRow = {
  slot: string
  sentences: readonly string[]
  /** Whether it is to be looked up, also when the job asks for no search. */
  looksUp: boolean
  /** JSON Schema of the answer. */
  schema: object
  /** The slot's content in a model's words, or `undefined` where they are not of the schema. */
  read: (words: string) => string | undefined
}

const Forecast = z.object({
  days: z
    .array(
      z.object({
        date: z.string().describe('YYYY-MM-DD'),
        sky: z.string().describe('the weather in a few words'),
        high: z.number().describe('highest temperature'),
        low: z.number().describe('lowest temperature'),
      }),
    )
    .min(1)
    .max(14),
})
const Lettering = z.object({ text: z.string().min(1).max(200).describe('the words to render, to the letter') })

/** Operations whose words a text model can write first. */
export const WORDS = {
  logo: toRow(Lettering, ({ text }) => text, {
    slot: 'text',
    looksUp: false,
    sentences: [
      'Write the words that a picture for {brand} should bear.',
      'It is {image_type}.',
      'The design is {design}.',
      'They are rendered letter for letter, so keep them few and leave out what is no part of them.',
    ],
  }),
  weather: toRow(Forecast, forecast => JSON.stringify(forecast), {
    slot: 'facts',
    looksUp: true,
    sentences: [
      'Look up the current weather forecast for {place}.',
      'The first day is {date}.',
      'Cover {days} days.',
      'The units are {units}.',
      'Describe the sky in {language}.',
      'Answer with what the forecast says, and add nothing to it.',
    ],
  }),
} as const satisfies Partial<Record<Operation, WordsRow>>

function toRow<Words>(
  schema: z.ZodType<Words>,
  toSlot: (words: Words) => string,
  row: Pick<WordsRow, 'slot' | 'sentences' | 'looksUp'>,
): WordsRow {
  const { $schema: _, ...jsonSchema } = z.toJSONSchema(schema)
  const read = (words: string) => {
    // Models that were told to answer JSON still fence it now and then.
    const json = words.replace(/^\s*```(?:json)?\s*|\s*```\s*$/g, '')
    const parsed = schema.safeParse(parseLeniently(json))
    return parsed.success ? toSlot(parsed.data) : undefined
  }
  return { ...row, schema: jsonSchema, read }
}

function parseLeniently(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

const price = z.number().nonnegative()

/**
 * The model that writes words first, of `settings.json`. Google's price list for text models is not in the catalogue, so the
 * file has to bring the prices: US dollars per million tokens. It must be able to search and to answer JSON in one call.
 */
export const TextModel = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,99}$/, 'is no model id'),
  prices: z.strictObject({ input: price, text: price, asOf: z.iso.date() }),
  /** @default all that there are */
  operations: z.array(z.enum(Object.keys(WORDS) as (keyof typeof WORDS)[])).optional(),
  requestsPerMinute: z.number().positive().optional(),
})
export type TextModel = z.infer<typeof TextModel>

/** A text model as the catalogue would have it: it draws nothing, so it takes no wish about pictures. */
export function toCatalogueRow({ id, prices, requestsPerMinute }: TextModel): Model {
  return {
    nickname: id,
    sizes: [],
    ratios: [],
    pixels: 'gemini-3',
    mimeType: 'image/jpeg',
    thinkingLevels: [],
    thinks: true,
    grounding: ['web'],
    references: { most: 0 },
    inputImageTokens: 0,
    imageTokens: {},
    prices: { ...prices, image: 0 },
    requestsPerMinute,
  }
}

/** A question for words: its row, and what is to be looked up for it. */
export type WordsAsk = { row: WordsRow; prompt: string; wish: GroundingWish | undefined }

/** The question that a job's operation has for the text model, whether or not the job leaves it open; `undefined` where it has none. */
export function toWordsAsk(job: Job, { operations }: TextModel): WordsAsk | undefined {
  const row = (WORDS as Partial<Record<Operation, WordsRow>>)[job.operation]
  if (!row || (operations && !(operations as readonly Operation[]).includes(job.operation))) return undefined
  const wish = groundingWish(job)
  const searches = row.looksUp || wish?.web === true
  return {
    row,
    prompt: fillSentences(row.sentences, job.slots ?? {}),
    wish: searches ? { web: true, images: false, required: wish?.required ?? row.looksUp } : undefined,
  }
}

/** Whether the job leaves its words to be written: it fills slots, but not this one. */
export function lacksWords({ prompt, slots }: Job, { row }: WordsAsk): boolean {
  return prompt === undefined && slots?.[row.slot] === undefined
}

/** The job with its words. What was to be looked up on the web has been looked up for them; pictures are searched when it is drawn. */
export function fillWords(job: Job, { row }: WordsAsk, words: string): Job {
  const { images, required } = job.grounding ?? {}
  const grounding = images ? { images, required } : undefined
  return { ...job, slots: { ...job.slots, [row.slot]: words }, grounding }
}

/** A text model's reply that is what was asked for: `phrase` is the slot's content. */
export type Written = { pictures: undefined; error: undefined; phrase: string; warnings: string[] }

type Refused = Extract<Verdict, { error: EditError }>

/** What a text model's reply is worth. What Google blocks is blocked as it is for pictures. */
export function judgeWords(reply: Reply, { row, wish }: WordsAsk): Written | Refused {
  const words = wordsOf(reply.parts)
  const phrase = row.read(words)
  if (phrase === undefined) {
    const silence = judgeReply(reply)
    if (!silence.pictures && silence.error.code !== 'ERR_REPLY_NO_IMAGE') return silence
    return refuse('ERR_REPLY_WORDS', 'the text model did not answer in the form that was asked for', words)
  }
  if (wish?.required && !isGrounded(reply.grounding))
    return refuse('ERR_REPLY_UNGROUNDED', 'the text model looked nothing up: what it says may be invented', words)
  return { pictures: undefined, error: undefined, phrase, warnings: groundingWarnings(wish, reply.grounding) }
}

function refuse(code: 'ERR_REPLY_WORDS' | 'ERR_REPLY_UNGROUNDED', message: string, words: string): Refused {
  return { pictures: undefined, error: new EditError(code, message), most: 2, words }
}
