import { type Applicant, admit, comeToSlot, looksAtAws, openGates, report, reserve, settle } from './admission.ts'
import type { Claim } from './aws/claim.ts'
import { replyKey, toMetadata } from './aws/keys.ts'
import type { Ledger } from './aws/ledger.ts'
import type { Keep, Storage } from './aws/storage.ts'
import type { Settings } from './config.ts'
import { costOf, type Lane, searchCostOf, type Usage } from './cost.ts'
import { EditError } from './errors.ts'
import type { Gemini, RawReply } from './gemini/client.ts'
import { buildRequest, buildWordsRequest } from './gemini/request.ts'
import { readReply } from './gemini/response.ts'
import { type Grounding, groundingWish } from './grounding.ts'
import type { Brought, Material } from './material.ts'
import { succeed } from './models.ts'
import { answeringModel, type Plan, planWords, replan, settleRatio, type WordsPlan } from './plan.ts'
import { type Attempt, judgeReply, type Verdict } from './result.ts'
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
type Worded = JudgedReply & { verdict: Written }

/** All that the calls for one claimed job need. */
export type Desk = Applicant & {
  folder: string
  resultsBucket: string
  storage: Storage
  ledger: Ledger
  gemini: Gemini
  /** Replies so far, those of earlier claims first. */
  replies: JudgedReply[]
}

/** 4K takes 50–120 s (reported by many): a call that is begun with less is likely to be paid for and lost. */
const CALL_NEEDS_MS = 120_000
/** Left after the call for keeping, writing and closing. */
const SAVE_NEEDS_MS = 20_000
/** Calls that end without an answer may be billed, and something is wrong: this many are enough. */
const UNANSWERED_LIMIT = 5

/** Replies to the attempts `before` one that earlier claims paid for and kept; one with pictures is never asked for again. */
export async function readKept(desk: Desk, plan: Plan, before = Number.POSITIVE_INFINITY): Promise<void> {
  const { claim, storage, resultsBucket, folder, now } = desk
  if (claim.calls === 0) return
  const keys = await storage.list(resultsBucket, `${folder}/response-`)
  const kept = keys.flatMap(key => Number(/response-(\d+)\.json$/.exec(key)?.[1] ?? [])).toSorted((a, b) => a - b)
  const last = Math.max(0, ...claim.attempts.map(known => known.attempt))
  for (const attempt of kept) {
    if (attempt >= before) break
    if (desk.replies.some(reply => reply.attempt === attempt)) continue
    const bytes = await storage.read(`s3://${resultsBucket}/${replyKey(folder, attempt)}`)
    if (!bytes) continue
    const json: unknown = JSON.parse(bytes.toString())
    const asked = findPlan(desk, plan, attempt, json)
    const wasRow = claim.attempts.some(other => other.attempt === attempt && other.batch !== undefined)
    if (asked) desk.replies.push(judge(desk, asked, attempt, json, wasRow ? 'batch' : 'now'))
    // Kept, and its function died before it could say so. Attempts are numbered upwards, so the highest tells.
    if (attempt <= last) continue
    record(claim, { attempt, at: new Date(now()).toISOString(), ms: 0, outcome: 'reply', ...toAsks(asked) })
  }
  // Its owner may have died before it did so: a call that left no reply gives its money back.
  await settle(desk, claim.hold, desk.replies.find(({ attempt }) => attempt === claim.calls)?.usd ?? 0)
}

/**
 * The plan that a kept reply answered: a job whose words were written first has replies of both kinds. Its attempt tells which,
 * and its words do where the attempt is too long ago to be in the ledger. `undefined` for words of a model that the settings
 * no longer name.
 */
function findPlan(desk: Desk, plan: Plan, attempt: number, json: unknown): Plan | undefined {
  if (plan.words) return plan
  const wordsPlan = planWords(plan.job, desk.settings)
  const noted = desk.claim.attempts.find(other => other.attempt === attempt)
  if (noted) return noted.asks ? wordsPlan : plan
  const isWritten = wordsPlan !== undefined && judgeWords(readReply(json), wordsPlan.words).error === undefined
  return isWritten ? wordsPlan : plan
}

function toAsks(plan: Plan | undefined): Pick<Attempt, 'asks'> {
  return plan?.words ? { asks: 'words' } : {}
}

/** The error of a job that has waited as long as it may, or `undefined`. `reason`: what it waited for last. */
export function findLate(
  { firstSeenAt }: Claim,
  { maxWaitHours }: Settings,
  now: number,
  reason: string,
): EditError | undefined {
  const hours = (now - firstSeenAt) / 3_600_000
  if (hours < maxWaitHours) return undefined
  const message = `the job waited ${Math.floor(hours)} h, maxWaitHours is ${maxWaitHours}; last reason: ${reason}`
  return new EditError('ERR_JOB_WAITED_TOO_LONG', message)
}

/** The first reply with pictures: one that was kept, or a new one. Throws what the replies or the way there ended with. */
export function askForPictures(desk: Desk, plan: Plan, material: Material): Promise<Pictured> {
  return ask(desk, plan, material, hasPictures)
}

/** The first reply with the words that were asked for, as `askForPictures`. */
export function askForWords(desk: Desk, plan: WordsPlan, material: Material): Promise<Worded> {
  return ask(desk, plan, material, hasWords)
}

async function ask<Good extends JudgedReply>(
  desk: Desk,
  plan: Plan,
  material: Material,
  isGood: (reply: JudgedReply) => reply is Good,
): Promise<Good> {
  let current = plan
  for (;;) {
    const best = desk.replies.find(isGood)
    if (best) return best
    refuseHopeless(desk.replies.filter(reply => Boolean(reply.plan.words) === Boolean(plan.words)))
    const reply = await retry(() => callOnce(desk, current, material), {
      timeLeftMs: () => desk.deadlineAt - desk.now() - CALL_NEEDS_MS - SAVE_NEEDS_MS,
    }).catch((error: unknown) => {
      if (!(error instanceof EditError && error.code === 'ERR_MODEL_GONE') || current !== plan || plan.words)
        throw error
      current = replan(plan, succeed(plan.modelId, plan.model, desk.settings.catalogue, isoDay(desk.now())))
      return undefined
    })
    if (!reply) continue
    const judged = judge(desk, current, desk.claim.calls, reply.json, 'now')
    desk.replies.push(judged)
    // Beyond the retries: what fails here must not ask again for a reply that is kept.
    await settle(desk, desk.claim.hold, judged.usd)
  }
}

/** Throws the error of a kind of reply that came as often as it may. */
export function refuseHopeless(replies: JudgedReply[]): void {
  for (const { verdict } of replies) {
    if (verdict.pictures || !verdict.error) continue
    const { error, most } = verdict
    const same = replies.filter(other => !other.verdict.pictures && other.verdict.error?.code === error.code)
    if (same.length >= most || replies.length >= SOFT_LIMIT) throw error
  }
}

/** Whatever mixture of soft endings came: no job pays for more replies than this. */
const SOFT_LIMIT = 3

/** One paid call: admitted and counted before it is made, its reply kept before anything is made of it. */
async function callOnce(desk: Desk, plan: Plan, material: Material): Promise<RawReply> {
  const { claim, ledger, deadlineAt, now } = desk
  refuseEndless(claim)
  const late = findLate(claim, desk.settings, now(), claim.waitReason ?? 'a long queue')
  if (late) throw late
  const slotAt = await admit(desk, plan)
  const brought = await material.bring(plan)
  await comeToSlot(desk, plan, slotAt)
  const timeoutMs = deadlineAt - now() - SAVE_NEEDS_MS
  if (timeoutMs < CALL_NEEDS_MS)
    throw new EditError(
      'ERR_TIME_SHORT',
      `${Math.round(timeoutMs / 1000)} s are left, a call may need ${CALL_NEEDS_MS / 1000}`,
    )
  await makeSure(desk, plan)
  const hold = await reserve(desk, plan)
  const pinned = plan.words ? plan.job : { ...plan.job, model: plan.requested }
  const { session } = brought
  const inputs = brought.inputs.map(input => input.facts)
  await ledger.attempt(claim, { job: JSON.stringify(pinned), inputs, session, hold })
  return call(desk, plan, material, brought, timeoutMs)
}

/** What would go wrong after the call is tried before it: a missing permission costs nothing then. */
async function makeSure(desk: Desk, { modelId }: Plan): Promise<void> {
  const { gemini, storage, resultsBucket, now } = desk
  const begunAt = now()
  const writable = storage.ensureWritable(resultsBucket, { afresh: looksAtAws(desk) })
  await Promise.all([gemini.ready(), writable]).catch(async (error: unknown) => {
    throw await report(desk, error, { modelId, begunAt })
  })
}

async function call(
  desk: Desk,
  plan: Plan,
  material: Material,
  { inputs, history }: Brought,
  timeoutMs: number,
): Promise<RawReply> {
  const { claim, gemini, now } = desk
  const images = inputs.map(input => ({ ...input, mimeType: input.facts.mimeType }))
  const begunAt = now()
  const end = (outcome: string) => {
    const at = new Date(begunAt).toISOString()
    record(claim, { attempt: claim.calls, at, ms: now() - begunAt, outcome, model: plan.modelId, ...toAsks(plan) })
  }
  const { job } = settleRatio(plan, claim.inputs ?? [])
  const request = plan.words
    ? buildWordsRequest(plan.modelId, plan.words)
    : buildRequest(plan.modelId, job, plan.prompt, images, history)
  let reply: RawReply | undefined
  try {
    reply = await gemini.generate(request, { timeoutMs })
    await keep(desk, claim.calls, reply.text, job.session ? '365-days' : '30-days')
  } catch (error) {
    const outcome = reply ? LOST : error instanceof EditError ? error.code : 'ERR_INTERNAL'
    end(outcome)
    if (error instanceof EditError && error.code === 'ERR_GEMINI_FILE_LOST') await material.forgetFiles(error.message)
    await settle(desk, claim.hold, usdOf(desk, plan, reply, outcome)).catch(() => undefined)
    throw await report(desk, error, { modelId: plan.modelId, begunAt })
  }
  end('reply')
  await openGates(desk, 'answered').catch(() => undefined)
  return reply
}

/** What a call that failed has cost: a lost reply its price, one that may be billed what was set aside, any other nothing. */
function usdOf(desk: Desk, plan: Plan, reply: RawReply | undefined, outcome: string): number {
  if (reply) return judge(desk, plan, desk.claim.calls, reply.json, 'now').usd
  return UNANSWERED.includes(outcome) ? (desk.claim.hold?.microUsd ?? 0) / 1e6 : 0
}

/** A reply is money: S3 gets every second that is left to take it. */
export async function keep(
  { claim, storage, resultsBucket, folder, deadlineAt, now }: Desk,
  attempt: number,
  text: string,
  keep: Keep,
): Promise<void> {
  const options = { contentType: 'application/json', metadata: toMetadata({ 'darkroom-job': claim.id }), keep }
  const write = () => storage.write(resultsBucket, replyKey(folder, attempt), text, options)
  const timeLeftMs = () => deadlineAt - now() - 1000
  await retry(write, { tries: Number.POSITIVE_INFINITY, longestWaitMs: 2000, timeLeftMs })
}

/** A reply that came and that S3 did not take. */
const LOST = 'lost'
const UNANSWERED: readonly string[] = ['ERR_GEMINI_TIMEOUT', 'ERR_GEMINI_BROKE_OFF', 'ERR_BATCH_ROW_LOST', LOST]

/** Writes down how a call ended; the ledger learns it with the next write. */
export function record(claim: Claim, attempt: Attempt): void {
  claim.attempts.push(attempt)
  claim.ended += 1
  if (UNANSWERED.includes(attempt.outcome)) claim.unanswered += 1
}

/** A call of which nothing is known was ended by Lambda: the function was killed, or ran out of time or memory. */
export function refuseEndless({ calls, ended, unanswered }: Claim): void {
  const killed = calls - ended
  if (unanswered + killed < UNANSWERED_LIMIT) return
  const message = `${unanswered + killed} calls ended without an answer that could be kept, ${killed} of them with their function`
  throw new EditError('ERR_GEMINI_NO_ANSWER', message)
}

/** What a reply is worth, and what it cost in the lane that it came by. */
export function judge(desk: Desk, planned: Plan, attempt: number, json: unknown, lane: Lane): JudgedReply {
  const plan = settleRatio(planned, desk.claim.inputs ?? [])
  const reply = readReply(json)
  const answered = answeringModel(plan, desk.settings.catalogue, reply.modelVersion)
  const { usage, grounding, modelVersion: version } = reply
  const usd = costOf(usage, answered, lane) + searchCostOf(grounding?.webQueries.length ?? 0)
  const verdict = plan.words ? judgeWords(reply, plan.words) : judgeReply(reply, groundingWish(plan.job))
  return { attempt, verdict, plan, version, usage, grounding, usd, lane, pricesAsOf: answered.prices.asOf }
}

export function hasPictures(reply: JudgedReply): reply is Pictured {
  return reply.verdict.pictures !== undefined
}

function hasWords(reply: JudgedReply): reply is Worded {
  return 'phrase' in reply.verdict
}

export function isoDay(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}
