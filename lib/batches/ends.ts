import { record, refuseEndless } from '../attempts.ts'
import type { BatchRow } from '../aws/batch-rows.ts'
import { LEASE_MARGIN_MS, LostClaim } from '../aws/claim.ts'
import type { Parking, RowClaim } from '../aws/parking.ts'
import type { RecipeBucket } from '../aws/recipe-bucket.ts'
import type { Desk } from '../calls.ts'
import { begin } from '../draft.ts'
import { type Code, EditError } from '../errors.ts'
import { conclude, type Finishers } from '../finish.ts'
import type { Row } from '../gemini/batch-file.ts'
import { writeResumption } from '../intake.ts'
import { type Job, parseJob } from '../job.ts'
import type { Plan } from '../plan.ts'
import { develop, type Files } from '../prints.ts'
import { hasPictures, judge, keep, readKept, refuseHopeless } from '../replies.ts'
import type { Result } from '../result.ts'
import { backoffMs } from '../retry.ts'

/**
 * What came of a row: its job has an end or goes again (`ended`), is no job of this batch any more, or has an owner until
 * then: one that died, or could not give it back. A job that is held is as open as before, and its row is needed again.
 */
export type RowEnd = 'ended' | 'not ours' | { heldUntil: number }
export type EndRow = (batch: BatchRow, row: Row, deadlineAt: number) => Promise<RowEnd>

type Rule = { code: Code; lane?: 'now'; says: string }

/** What becomes of the jobs that a batch left without an answer. */
const RULES: Readonly<Record<string, Rule>> = {
  SUCCEEDED: { code: 'ERR_BATCH_ROW_LOST', says: 'its result has no readable row for this job' },
  PARTIALLY_SUCCEEDED: { code: 'ERR_BATCH_ROW_LOST', says: 'it succeeded in part, without this job' },
  FAILED: { code: 'ERR_BATCH_FAILED', says: 'it failed' },
  EXPIRED: { code: 'ERR_BATCH_EXPIRED', lane: 'now', says: 'it expired' },
  STUCK: { code: 'ERR_BATCH_EXPIRED', lane: 'now', says: 'it did not end in time and was cancelled' },
  CANCELLED: { code: 'ERR_BATCH_CANCELLED', says: 'it was cancelled' },
  EMPTY: { code: 'ERR_BATCH_ROW_LOST', says: 'it was never made' },
  REFUSED: { code: 'ERR_BATCH_FAILED', lane: 'now', says: 'Google did not take it' },
}

/** The rule for jobs without an answer, as the error that their results or their attempts name. */
export function toRule({ id, end = '', cancelledBy, reason }: BatchRow): { error: EditError; lane?: 'now' } {
  const rule = (end === 'CANCELLED' && cancelledBy === 'stuck' ? RULES.STUCK : RULES[end]) ?? (RULES.FAILED as Rule)
  const message = `batch ${id}: ${rule.says}${reason ? `: ${reason}` : ''}`
  return { error: new EditError(rule.code, message), lane: rule.lane }
}

/** The job is not over, and its batch has nothing more for it: whatever came, another try may bring more. */
class GoAgain extends EditError {
  override readonly remedy = 'wait'
  readonly lane: 'now' | undefined
  constructor({ code, message, retryAfterMs }: EditError, lane: 'now' | undefined) {
    super(code, message, { retryAfterMs })
    this.lane = lane
  }
}

type RowDeps = Finishers & {
  parking: Parking
  recipes: RecipeBucket
  queueJob: (body: string, delayMs: number) => Promise<void>
}

/**
 * Ends one job from its row, as the `now` lane would have ended it from the reply; or sends it again. A row whose job is
 * over, belongs to another batch, or never was in this one changes nothing, however often it comes.
 */
export function createEndRow(deps: RowDeps): EndRow {
  return async function endRow(batch, row, deadlineAt) {
    const { parking } = deps
    const whose = async (): Promise<RowEnd> => {
      const heldUntil = await parking.findFree(row.key, batch.id)
      return heldUntil === undefined ? 'not ours' : { heldUntil }
    }
    const claim = await parking.claim(row.key, batch.id, deadlineAt + LEASE_MARGIN_MS)
    if (!claim) return whose()
    try {
      await settle(deps, claim, batch, row, deadlineAt)
    } catch (error) {
      if (error instanceof LostClaim) return whose()
      await parking.putBack(claim).catch(() => undefined) // Its lease ends by itself.
      throw error
    }
    return 'ended'
  }
}

async function settle(deps: RowDeps, claim: RowClaim, batch: BatchRow, row: Row, deadlineAt: number): Promise<void> {
  const settings = await deps.recipes.settings()
  const read = async () => parseJob(JSON.parse(claim.job ?? '{}'))
  try {
    await conclude(deps, { claim, settings, deadlineAt }, { ...claim, read }, (desk, job, draft) =>
      makeOfRow(desk, batch, row, job, draft),
    )
  } catch (error) {
    if (!(error instanceof GoAgain)) throw error
    await sendAgain(deps, claim, error)
  }
}

async function makeOfRow(desk: Desk, batch: BatchRow, row: Row, job: Job, draft: Result): Promise<Files> {
  const { claim, settings } = desk
  const begun = begin(desk, job, draft)
  const plan: Plan = { ...begun, modelId: batch.model, model: settings.catalogue[batch.model] ?? begun.model }
  // Not the one that this row brings: an owner that died may have kept it already.
  if (claim.calls > 1) await readKept(desk, plan, claim.calls)
  await take(desk, batch, row, plan)
  const best = desk.replies.find(hasPictures)
  if (best) return develop(desk, draft, job, best)
  refuseHopeless(desk.replies)
  refuseEndless(claim)
  throw toEnd(desk, batch, row)
}

/** Keeps what was paid for, before anything is made of it, and writes down how the attempt ended. */
async function take(desk: Desk, batch: BatchRow, row: Row, plan: Plan): Promise<void> {
  const { claim, now } = desk
  const { parkedAt } = claim as RowClaim
  const attempt = claim.calls
  const outcome = row.error?.code ?? 'reply'
  if (!claim.attempts.some(other => other.attempt === attempt)) {
    const at = new Date(parkedAt).toISOString()
    record(claim, { attempt, at, ms: now() - parkedAt, outcome, model: plan.modelId, batch: batch.id })
  }
  if (row.reply === undefined) return
  await keep(desk, attempt, row.reply, '30-days')
  desk.replies.push(judge(desk, plan, attempt, JSON.parse(row.reply) as unknown, 'batch'))
}

/** What a row without a picture comes to: the end, if nobody but the sender can mend it, or another try. */
function toEnd(desk: Desk, batch: BatchRow, { error }: Row): EditError {
  const silent = desk.replies.at(-1)?.verdict
  if (!error)
    return new GoAgain(silent?.pictures ? toRule(batch).error : (silent?.error ?? toRule(batch).error), undefined)
  if (error.code === 'ERR_MODEL_GONE') return new GoAgain(error, 'now')
  if (error.remedy === 'change') return error
  const rule = toRule(batch)
  return new GoAgain(error, rule.error.code === error.code ? rule.lane : undefined)
}

/** Sent first and given back after: who dies in between sends it twice, and the ledger takes the one. */
async function sendAgain({ queueJob, ledger, now, log }: RowDeps, claim: RowClaim, error: GoAgain): Promise<void> {
  const delayMs = error.retryAfterMs ?? backoffMs(claim.batches)
  await queueJob(writeResumption(claim), delayMs)
  await ledger.wait(claim, now() + delayMs, { code: error.code, lane: error.lane })
  log.info('job leaves its batch', {
    job: claim.id,
    code: error.code,
    reason: error.message,
    lane: error.lane,
    delayMs,
  })
}
