/**
 * Darkroom's words, one meaning each, in code, logs, README and CLI:
 *
 * event      what AWS delivers: an upload notice, a queue message, a schedule's tick
 * job        one edit that somebody wants: operation, inputs, prompt, output wishes. Has an id
 * recipe     a named job without inputs, kept as JSON in the recipes bucket; the first folder of an uploaded key names it
 * operation  a row of the prompt table: `style-transfer`, `inpaint`, `compose`, …
 * part       a piece of the model's reply: text or image, thought or not
 * result     how a job ended: `done`, `refused` (the model will not) or `failed` (the job cannot)
 * lane       `now` (one call, answered in seconds) or `batch` (half price, within a day)
 * session    an ordered line of jobs in which each turn continues from the one before
 * ledger     the table that knows every job: who works on it, how often it was tried, how it ended, what it cost
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { EditError } from './errors.ts'
import { ASPECT_RATIOS, type AspectRatio, IMAGE_SIZES, THINKING_LEVELS } from './models.ts'

export const OPERATIONS = [
  'generate',
  'edit',
  'photo',
  'sticker',
  'logo',
  'product-shot',
  'negative-space',
  'comic',
  'weather',
  'add-remove',
  'inpaint',
  'style-transfer',
  'compose',
  'preserve-detail',
  'sketch-to-photo',
  'turnaround',
] as const
export type Operation = (typeof OPERATIONS)[number]

export const ROLES = ['object', 'character', 'style', 'mask', 'base'] as const
export type Role = (typeof ROLES)[number]

/** Job messages over this many bytes are refused: SQS would take more, but a job that large carries data, not wishes. */
export const MESSAGE_LIMIT_BYTES = 128 * 1024
const TEXT_LIMIT_BYTES = 32 * 1024
export const INPUTS_LIMIT = 32

const text = z
  .string()
  .min(1)
  .refine(value => Buffer.byteLength(value) <= TEXT_LIMIT_BYTES, `is longer than ${TEXT_LIMIT_BYTES / 1024} KB`)

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'takes 1–100 of A–Z a–z 0–9 . _ -')

const path = z
  .string()
  .min(1)
  .refine(value => Buffer.byteLength(value) <= 500, 'is longer than 500 bytes')
  .refine(value => !value.startsWith('/') && !value.endsWith('/'), 'may not begin or end with /')
  .refine(
    value => !value.split('/').some(part => part === '' || part === '.' || part === '..'),
    'may not contain "..", "." or "//"',
  )
  .refine(value => !hasControlCharacters(value), 'may not contain control characters')

const uri = z
  .string()
  .regex(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/.+$/su, 'is no s3://bucket/key')
  .refine(
    value => Buffer.byteLength(value.slice(value.indexOf('/', 5) + 1)) <= 1024,
    'has a key of more than 1,024 bytes',
  )

const input = z.strictObject({ uri, role: z.enum(ROLES).optional() })

const imageConfig = z.strictObject({
  aspectRatio: z.enum(ASPECT_RATIOS as [AspectRatio, ...AspectRatio[]]).optional(),
  imageSize: z.enum(IMAGE_SIZES).optional(),
})

const id = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,100}$/, 'takes 1–100 of A–Z a–z 0–9 . _ -')
  .refine(value => value !== '.' && value !== '..', 'may not be "." or ".."')
  .refine(value => !/^(up|msg|sch)-/.test(value), 'may not begin with up-, msg- or sch-: those are Darkroom’s own')

/** What a recipe (`recipes.ts`) and a job have in common: everything but identity and inputs. */
export const wishes = {
  operation: z.enum(OPERATIONS),
  prompt: text.optional(),
  slots: z.record(z.string(), text).optional(),
  model: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{0,99}$/, 'is no model id')
    .optional(),
  imageConfig: imageConfig.optional(),
  responseModalities: z
    .union([z.tuple([z.literal('IMAGE')]), z.tuple([z.literal('TEXT'), z.literal('IMAGE')])])
    .optional(),
  thinkingConfig: z
    .strictObject({ thinkingLevel: z.enum(THINKING_LEVELS).optional(), includeThoughts: z.boolean().optional() })
    .optional(),
  grounding: z
    .strictObject({
      web: z.literal(true).optional(),
      images: z.literal(true).optional(),
      required: z.boolean().optional(),
    })
    .optional(),
  systemInstruction: text.optional(),
  session: name.optional(),
  lane: z.enum(['now', 'batch']).default('now'),
  prefix: path.optional(),
  publishAs: path.optional(),
  labels: z.array(z.string().max(100)).max(10).optional(),
}

/** A job as it runs. A message may write an input as a plain string; here it is always `{ uri, role? }`. */
export const Job = z.strictObject({
  id: id.optional(),
  ...wishes,
  inputs: z
    .array(z.preprocess(value => (typeof value === 'string' ? { uri: value } : value), input))
    .max(INPUTS_LIMIT)
    .default([]),
})
export type Job = z.infer<typeof Job>
export type JobInput = Job['inputs'][number]

/** The job in a parsed JSON value; throws `ERR_JOB_UNREADABLE` or, naming every fault, `ERR_JOB_INVALID`. */
export function parseJob(value: unknown): Job {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EditError(
      'ERR_JOB_UNREADABLE',
      `a job is a JSON object, got ${Array.isArray(value) ? 'an array' : typeof value}`,
    )
  }
  const parsed = Job.safeParse(value)
  if (!parsed.success) throw new EditError('ERR_JOB_INVALID', `the job is not valid: ${describeFaults(parsed.error)}`)
  return parsed.data
}

/** The JSON object in `body`; throws `ERR_JOB_UNREADABLE`, and never repeats what was sent. */
export function parseJson(body: string, what: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    // JSON.parse quotes its input in the message, and the input may hold a user's prompt.
    throw new EditError('ERR_JOB_UNREADABLE', `${what} is no JSON`)
  }
}

/** Every fault of a schema in one line: `imageConfig.imageSize: expected one of …; unknown field "promt"`. */
export function describeFaults(error: z.ZodError): string {
  return error.issues
    .map(issue => {
      if (issue.code === 'unrecognized_keys') {
        const where = issue.path.length > 0 ? ` in ${issue.path.join('.')}` : ''
        return `unknown field ${issue.keys.map(key => JSON.stringify(key.slice(0, 60))).join(', ')}${where}`
      }
      return issue.path.length > 0 ? `${issue.path.join('.')}: ${issue.message}` : issue.message
    })
    .join('; ')
}

/** A hash that tells two contents of one id apart, whatever order the fields came in. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(stableJson(value)).digest('hex').slice(0, 32)
}

function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

export function hasControlCharacters(value: string): boolean {
  return /\p{Cc}/u.test(value)
}
