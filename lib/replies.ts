import { type Applicant, settle } from './admission.ts'
import { type Attempt, record } from './attempts.ts'
import { replyKey, toMetadata } from './aws/keys.ts'
import type { Keep, Storage } from './aws/storage.ts'
import { costOf, type Lane, searchCostOf, type Usage } from './cost.ts'
import { readReply } from './gemini/response.ts'
import { type Grounding, groundingWish } from './grounding.ts'
import { answeringModel, type Plan, planWords, settleRatio } from './plan.ts'
import { judgeReply, type Verdict } from './result.ts'
import { retry } from './retry.ts'
import { judgeWords, type Written } from './words.ts'

/** A reply that was judged, with what it cost. */
export type JudgedReply = {
  attempt: number
  verdict: Verdict | Written
  plan: Plan
  version: string | undefined
  usage: Usage
  grounding: Grounding | undefined
  usd: number
  lane: Lane
  pricesAsOf: string
}

export type Pictured = JudgedReply & { verdict: Extract<Verdict, { draftMarkdown: string }> }
export type Worded = JudgedReply & { verdict: Written }

/** Where the replies to one claimed job's calls come in and are kept. */
export type Tray = Applicant & {
  folder: string
  resultsBucket: string
  storage: Storage
  /** Replies so far, those of earlier claims first. */
  replies: JudgedReply[]
}

/** A reply is money: S3 gets every second that is left to take it. */
export async function keep(
  { claim, storage, resultsBucket, folder, deadlineAt, now }: Tray,
  attempt: number,
  text: string,
  keep: Keep,
): Promise<void> {
  const options = { contentType: 'application/json', metadata: toMetadata({ 'darkroom-job': claim.id }), keep }
  const write = () => storage.write(resultsBucket, replyKey(folder, attempt), text, options)
  const timeLeftMs = () => deadlineAt - now() - 1000
  await retry(write, { tries: Number.POSITIVE_INFINITY, longestWaitMs: 2000, timeLeftMs })
}

/** Replies to the attempts `before` one that earlier claims paid for and kept; one with pictures is never asked for again. */
export async function readKept(tray: Tray, plan: Plan, before = Number.POSITIVE_INFINITY): Promise<void> {
  const { claim, storage, resultsBucket, folder, now } = tray
  if (claim.calls === 0) return
  const keys = await storage.list(resultsBucket, `${folder}/response-`)
  const kept = keys.flatMap(key => Number(/response-(\d+)\.json$/.exec(key)?.[1] ?? [])).toSorted((a, b) => a - b)
  const last = Math.max(0, ...claim.attempts.map(known => known.attempt))
  for (const attempt of kept) {
    if (attempt >= before) break
    if (tray.replies.some(reply => reply.attempt === attempt)) continue
    const bytes = await storage.read(`s3://${resultsBucket}/${replyKey(folder, attempt)}`)
    if (!bytes) continue
    const json: unknown = JSON.parse(bytes.toString())
    const asked = findPlan(tray, plan, attempt, json)
    const wasRow = claim.attempts.some(other => other.attempt === attempt && other.batch !== undefined)
    if (asked) tray.replies.push(judge(tray, asked, attempt, json, wasRow ? 'batch' : 'now'))
    // Kept, and its function died before it could say so. Attempts are numbered upwards, so the highest tells.
    if (attempt <= last) continue
    record(claim, { attempt, at: new Date(now()).toISOString(), ms: 0, outcome: 'reply', ...toAsks(asked) })
  }
  // Its owner may have died before it did so: a call that left no reply gives its money back.
  await settle(tray, claim.hold, tray.replies.find(({ attempt }) => attempt === claim.calls)?.usd ?? 0)
}

/**
 * The plan that a kept reply answered: a job whose words were written first has replies of both kinds. Its attempt tells which,
 * and its words do where the attempt is too long ago to be in the ledger. `undefined` for words of a model that the settings
 * no longer name.
 */
function findPlan(tray: Tray, plan: Plan, attempt: number, json: unknown): Plan | undefined {
  if (plan.words) return plan
  const wordsPlan = planWords(plan.job, tray.settings)
  const noted = tray.claim.attempts.find(other => other.attempt === attempt)
  if (noted) return noted.asks ? wordsPlan : plan
  const isWritten = wordsPlan !== undefined && judgeWords(readReply(json), wordsPlan.words).error === undefined
  return isWritten ? wordsPlan : plan
}

/** What an attempt says of a plan that asks for words. */
export function toAsks(plan: Plan | undefined): Pick<Attempt, 'asks'> {
  return plan?.words ? { asks: 'words' } : {}
}

/** What a reply is worth, and what it cost in the lane that it came by. */
export function judge(tray: Tray, planned: Plan, attempt: number, json: unknown, lane: Lane): JudgedReply {
  const plan = settleRatio(planned, tray.claim.inputs ?? [])
  const reply = readReply(json)
  const answered = answeringModel(plan, tray.settings.catalogue, reply.modelVersion)
  const { usage, grounding, modelVersion: version } = reply
  const usd = costOf(usage, answered, lane) + searchCostOf(grounding?.webQueries.length ?? 0)
  const verdict = plan.words ? judgeWords(reply, plan.words) : judgeReply(reply, groundingWish(plan.job))
  return { attempt, verdict, plan, version, usage, grounding, usd, lane, pricesAsOf: answered.prices.asOf }
}

/** Whatever mixture of soft endings came: no job pays for more replies than this. */
const SOFT_LIMIT = 3

/** Throws the error of a kind of reply that came as often as it may. */
export function refuseHopeless(replies: JudgedReply[]): void {
  for (const { verdict } of replies) {
    if (verdict.pictures || !verdict.error) continue
    const { error, most } = verdict
    const same = replies.filter(other => !other.verdict.pictures && other.verdict.error?.code === error.code)
    if (same.length >= most || replies.length >= SOFT_LIMIT) throw error
  }
}

export function hasPictures(reply: JudgedReply): reply is Pictured {
  return reply.verdict.pictures !== undefined
}

export function hasWords(reply: JudgedReply): reply is Worded {
  return 'phrase' in reply.verdict
}
