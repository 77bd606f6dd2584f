import type { Applicant } from './admission.ts'
import type { Attempt } from './attempts.ts'
import type { Claim } from './aws/claim.ts'
import { addUsage, searchCostOf } from './cost.ts'
import { ERRORS } from './errors.ts'
import type { Job } from './job.ts'
import { isoDay, makePlan, type Plan } from './plan.ts'
import type { JudgedReply, Tray } from './replies.ts'
import type { Result } from './result.ts'

/** The result of a job that has just begun: filled on the way, so that it also tells of a job that fails half-way. */
export function openDraft(claim: Claim, now: number): Result {
  const firstSeenAt = new Date(claim.firstSeenAt).toISOString()
  return {
    job: { id: claim.id },
    status: 'failed',
    images: [],
    inputs: claim.inputs ?? [],
    cost: { usd: 0, lane: 'now' },
    attempts: claim.attempts,
    timing: { firstSeenAt, startedAt: new Date(now).toISOString(), endedAt: '', inputsMs: 0, modelMs: 0 },
    warnings: [],
  }
}

/** Holds the job against every table, and notes what is asked of which model. */
export function begin({ claim, settings, now }: Applicant, job: Job, draft: Result): Plan {
  const plan = makePlan(job, settings, isoDay(now()))
  draft.job = { ...job, id: claim.id, prompt: plan.prompt }
  draft.model = { requested: plan.requested, used: plan.modelId }
  draft.warnings.push(...plan.warnings)
  return plan
}

/** Adds up what is known at the end, whichever end it was: every reply was paid for, those without a picture too. */
export function closeDraft(draft: Result, { replies, claim }: Pick<Tray, 'replies' | 'claim'>, now: number): void {
  const last = replies.at(-1)
  const usd = replies.reduce((sum, reply) => sum + reply.usd, 0)
  draft.usage = addUsage(replies.map(reply => reply.usage))
  draft.cost = { usd: roundUsd(usd), lane: last?.lane ?? draft.job.lane ?? 'now', pricesAsOf: last?.pricesAsOf }
  const webQueries = replies.reduce((sum, { grounding }) => sum + (grounding?.webQueries.length ?? 0), 0)
  if (webQueries > 0) draft.cost.searches = { webQueries, usdAtMost: roundUsd(searchCostOf(webQueries)) }
  if (last && 'words' in last.verdict) draft.text = last.verdict.words || undefined
  draft.warnings = [...new Set(draft.warnings)]
  draft.attempts = claim.attempts.map(attempt => ({ ...attempt, usd: usdOf(replies, attempt) }))
  draft.timing.endedAt = new Date(now).toISOString()
  draft.timing.modelMs = claim.attempts.reduce((sum, { ms }) => sum + ms, 0)
}

/** What one call cost, where its reply is known. */
function usdOf(replies: readonly JudgedReply[], { attempt }: Attempt): number | undefined {
  const reply = replies.find(other => other.attempt === attempt)
  return reply && roundUsd(reply.usd)
}

/** To a billionth of a dollar, so that half a price is exactly half: sums of binary fractions otherwise end in …0000002. */
function roundUsd(usd: number): number {
  return Math.round(usd * 1e9) / 1e9
}

/** One wide line a job: everything but words and bytes. */
export function toLogLine({
  job,
  status,
  error,
  model,
  images,
  cost,
  attempts,
  timing,
}: Result): Record<string, unknown> {
  const startedAt = Date.parse(timing.startedAt)
  const ownModelMs = attempts.filter(({ at }) => Date.parse(at) >= startedAt).reduce((sum, { ms }) => sum + ms, 0)
  return {
    job: job.id,
    operation: job.operation,
    status,
    code: error?.code,
    remedy: error && ERRORS[error.code].remedy,
    model: model?.used,
    images: images.length,
    usd: cost.usd,
    calls: attempts.length,
    replies: attempts.filter(({ outcome }) => outcome === 'reply').length,
    ...timing,
    waitedMs: startedAt - Date.parse(timing.firstSeenAt),
    // Calls of earlier claims took their time before this one started.
    overheadMs: Math.max(0, Date.parse(timing.endedAt) - startedAt - ownModelMs),
  }
}
