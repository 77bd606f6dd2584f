import type { Attempt } from './attempts.ts'
import type { Lane, Usage } from './cost.ts'
import { type Code, EditError, endOf, type Remedy } from './errors.ts'
import { type GroundingWish, groundingWarnings, isGrounded, type Source } from './grounding.ts'
import type { ImageType } from './image.ts'
import type { Job } from './job.ts'
import { developParts, type Picture, promoteLastThought, type Reply, wordsOf } from './parts.ts'

const STATUSES = ['done', 'refused', 'failed'] as const
export type Status = (typeof STATUSES)[number]

/** Whether a job of this status has its end. */
export function isOver(status: unknown): status is Status {
  return STATUSES.some(over => over === status)
}

/** What is known of an input once it was read. `etag` pins it: a retry reads these bytes or none. */
export type InputFacts = {
  uri: string
  etag: string
  versionId?: string
  sha256: string
  mimeType: ImageType
  width: number
  height: number
}

export type ImageFacts = {
  key: string
  mimeType: ImageType
  width: number
  height: number
  bytes: number
  sha256: string
}

/**
 * A turn's place in its session. `continuesFrom` is the job whose picture it goes on from: with all that was said since the
 * last fresh start, or, where `fresh` says why, with that picture alone.
 */
export type SessionFacts = { name: string; turn: number; continuesFrom?: string; fresh?: string }

/** `result.json`: who sees it may rely on every file it names. */
export type Result = {
  /** As it ran, with the prompt as sent; of a job that could not be read, the id alone. */
  job: Partial<Job> & { id: string }
  status: Status
  error?: { code: Code; message: string; remedy: Remedy }
  model?: { requested: string; used: string; version?: string }
  images: ImageFacts[]
  text?: string
  inputs: InputFacts[]
  grounding?: { queries: string[]; sources: Source[] }
  usage?: Usage
  /** `searches` is part of `usd`, as if the account's free queries of the month were used up. */
  cost: { usd: number; lane: Lane; pricesAsOf?: string; searches?: { webQueries: number; usdAtMost: number } }
  attempts: Attempt[]
  timing: { firstSeenAt: string; startedAt: string; endedAt: string; inputsMs: number; modelMs: number }
  session?: SessionFacts
  labels?: string[]
  warnings: string[]
}

/** `most` calls in all may be spent on a reply like this; each of them is billed. */
type Ending = { code: Code; most: number }

const POLICY = { code: 'ERR_REPLY_BLOCKED', most: 1 } as const
const SOFT = { code: 'ERR_REPLY_NO_IMAGE', most: 3 } as const
const UNREADABLE = { code: 'ERR_REPLY_UNREADABLE', most: 3 } as const
const RECITED = { code: 'ERR_REPLY_RECITATION', most: 2 } as const

/** What a finish reason means for a reply without a picture. A reason that is not here is as `NO_IMAGE`: more are to come. */
const FINISH_REASONS = {
  STOP: SOFT,
  MAX_TOKENS: { code: 'ERR_REPLY_CUT_OFF', most: 1 },
  SAFETY: POLICY,
  IMAGE_SAFETY: POLICY,
  PROHIBITED_CONTENT: POLICY,
  IMAGE_PROHIBITED_CONTENT: POLICY,
  SPII: POLICY,
  BLOCKLIST: POLICY,
  RECITATION: RECITED,
  IMAGE_RECITATION: RECITED,
  LANGUAGE: { code: 'ERR_REPLY_LANGUAGE', most: 1 },
  NO_IMAGE: SOFT,
  IMAGE_OTHER: SOFT,
  OTHER: SOFT,
  MALFORMED_RESPONSE: SOFT,
  MALFORMED_FUNCTION_CALL: SOFT,
  UNEXPECTED_TOOL_CALL: SOFT,
  TOO_MANY_TOOL_CALLS: SOFT,
  CONTINUATION: SOFT,
} as const satisfies Record<string, Ending>

/** What a reply is worth: pictures, or an error, which is final after `most` replies of its kind. */
export type Verdict =
  | { pictures: Picture[]; markdown: string; drafts: Picture[]; draftMarkdown: string; warnings: string[] }
  | { pictures: undefined; error: EditError; most: number; words: string }

/** `judgePictures`, and no picture counts that had to be looked up and was not. */
export function judgeReply(reply: Reply, wish?: GroundingWish): Verdict {
  const verdict = judgePictures(reply)
  if (!verdict.pictures) return verdict
  const { grounding } = reply
  if (wish?.required && !isGrounded(grounding)) {
    const message = 'Gemini made a picture and looked nothing up for it: what it shows may be invented'
    return {
      pictures: undefined,
      error: new EditError('ERR_REPLY_UNGROUNDED', message),
      most: 2,
      words: wordsOf(reply.parts),
    }
  }
  return { ...verdict, warnings: [...verdict.warnings, ...groundingWarnings(wish, grounding)] }
}

/** A picture that is whole counts, whatever the reason says; without one the reason decides. */
function judgePictures(reply: Reply): Verdict {
  const drafts = developParts(reply.parts, true)
  const answer = developParts(reply.parts, false)
  if (answer.pictures.length > 0) {
    const unusual =
      reply.finishReason && reply.finishReason !== 'STOP' ? [`the reply ended with ${reply.finishReason}`] : []
    const warnings = [...unusual, ...answer.unreadable]
    return { ...pick(answer), drafts: drafts.pictures, draftMarkdown: drafts.markdown, warnings }
  }
  if (drafts.pictures.length > 0 && answer.unreadable.length === 0 && endedByItself(reply)) {
    const promoted = developParts(promoteLastThought(reply.parts), false)
    const warnings = ['every image of the reply was a thought: the last one is the result']
    if (promoted.pictures.length > 0) {
      return { ...pick(promoted), drafts: drafts.pictures, draftMarkdown: drafts.markdown, warnings }
    }
  }
  return judgeSilence(reply, answer.unreadable)
}

function pick({ pictures, markdown }: { pictures: Picture[]; markdown: string }) {
  return { pictures, markdown }
}

/** A draft of a reply that was blocked or cut off is what Google did not want to show, or had not finished. */
function endedByItself({ blockReason, finishReason }: Reply): boolean {
  return (
    !blockReason &&
    (finishReason === undefined || finishReason === 'STOP' || finishReason === 'FINISH_REASON_UNSPECIFIED')
  )
}

function judgeSilence(reply: Reply, unreadable: string[]): Verdict {
  const words = wordsOf(reply.parts)
  const { code, most } = endingOf(reply, unreadable)
  const reason = reply.blockReason
    ? `blocked the prompt (${reply.blockReason})`
    : `ended with ${reply.finishReason ?? 'no reason'} and no picture`
  const detail = [reply.blockMessage ?? reply.finishMessage, ...unreadable].filter(Boolean).join('; ')
  const message = `Gemini ${reason}${detail ? `: ${detail}` : ''}`
  return { pictures: undefined, error: new EditError(code, message), most, words }
}

function endingOf(reply: Reply, unreadable: string[]): Ending {
  if (reply.blockReason) return POLICY
  const rows: Record<string, Ending> = FINISH_REASONS
  const { finishReason } = reply
  const ending = (finishReason && Object.hasOwn(rows, finishReason) ? rows[finishReason] : undefined) ?? SOFT
  // What Google blocked or cut off would come back the same, however unreadable its picture was.
  return ending === SOFT && unreadable.length > 0 ? UNREADABLE : ending
}

/** The error of a result that is not `done`, as `result.json` has it. */
export function toResultError(error: EditError): { status: Status; error: NonNullable<Result['error']> } {
  return { status: endOf(error.code), error: { code: error.code, message: error.message, remedy: error.remedy } }
}
