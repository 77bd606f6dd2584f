import { type Limits, openGates, report } from './admission.ts'
import { refuseEndless } from './attempts.ts'
import { type Claim, LEASE_MARGIN_MS } from './aws/claim.ts'
import { resultKey, toFolder } from './aws/keys.ts'
import type { Latest } from './aws/latest.ts'
import type { Parking } from './aws/parking.ts'
import type { RecipeBucket } from './aws/recipe-bucket.ts'
import type { Storage } from './aws/storage.ts'
import type { Topic } from './aws/topic.ts'
import { parkLine } from './batches/park.ts'
import { askForPictures, type Desk } from './calls.ts'
import { DEFAULT_SETTINGS, type Settings } from './config.ts'
import { closeDraft, openDraft, toLogLine } from './draft.ts'
import { EditError, Held } from './errors.ts'
import {
  announce,
  compareWithWish,
  type Ended,
  type Files,
  toAttributionFiles,
  toFiles,
  wordsIn,
  writeResult,
} from './finish.ts'
import type { Gemini } from './gemini/client.ts'
import type { GeminiFiles } from './gemini/files.ts'
import { toResultGrounding } from './grounding.ts'
import type { Intake } from './intake.ts'
import { type Job, parseJob } from './job.ts'
import type { Log } from './log.ts'
import { openMaterial, removeFiles } from './material.ts'
import { isoDay, makePlan, type Plan } from './plan.ts'
import { hasPictures, type Pictured, readKept, refuseHopeless } from './replies.ts'
import { type Result, toResultError } from './result.ts'
import { type Lines, leaveLine, takeTurn, toFreshWarning } from './session.ts'
import { findLate, giveBack } from './waiting.ts'
import { refuseEarly, withWordsGrounding, writeWords } from './words-first.ts'

export type Deps = Limits &
  Lines & {
    parking: Parking
    storage: Storage
    latest: Latest
    topic: Topic
    recipes: RecipeBucket
    gemini: Gemini
    files: GeminiFiles
    resultsBucket: string
    inputBuckets: readonly string[]
    log: Pick<Log, 'info' | 'warn' | 'error'>
  }

export type Edit = (intake: Intake, time: { deadlineAt: number }) => Promise<Ended>

/**
 * One edit, whoever asked: claim, inputs, request, Gemini, parts, result. Resolves when the job is over, well or badly, and
 * rejects when it is not: with `Held`, with an `EditError` whose `retryAfterMs` says when to come again, or with a bug.
 */
export function createEdit(deps: Deps): Edit {
  const { ledger, now } = deps

  return async function edit(intake, { deadlineAt }) {
    const { id, hash, firstSeenAt } = intake
    const begunAt = now()
    const outcome = await ledger
      .claim(id, { hash, firstSeenAt, leaseUntil: deadlineAt + LEASE_MARGIN_MS })
      .catch((error: unknown) => {
        // No gate can be closed without the table that it would be closed in.
        if (error instanceof EditError && error.remedy === 'repair')
          deps.log.error('ledger refused', { job: id, code: error.code, reason: error.message })
        throw error
      })
    if (outcome.kind === 'over') return { id, status: outcome.status }
    if (outcome.kind === 'batched') return { id, status: 'batched' }
    if (outcome.kind === 'held') throw new Held(id, outcome.until, outcome.by)
    if (outcome.kind === 'reused') return edit(answerReuse(intake), { deadlineAt })
    let settings = DEFAULT_SETTINGS
    try {
      settings = await deps.recipes.settings()
      return await work(deps, settings, outcome.claim, intake, deadlineAt)
    } catch (error) {
      const { claim } = outcome
      const fault = await report({ ...deps, claim, probes: [] }, error, { modelId: '', begunAt })
      throw await giveBack(ledger, claim, settings, fault, now())
    }
  }
}

/** What the id stands for is not touched, so the answer lies under an id of its own. */
function answerReuse(intake: Intake): Intake {
  const message = `id ${intake.id} belongs to another job; this one, with other content, was not run`
  return {
    ...intake,
    id: intake.spareId,
    hash: 'reused',
    read: () => Promise.reject(new EditError('ERR_JOB_ID_REUSED', message)),
  }
}

async function work(deps: Deps, settings: Settings, claim: Claim, intake: Intake, deadlineAt: number): Promise<Ended> {
  const draft = openDraft(claim, deps.now())
  const desk = openDesk(deps, { settings, claim, deadlineAt, recipe: intake.recipe })
  const read = async () => (claim.job ? parseJob(JSON.parse(claim.job)) : await intake.read())
  return conclude(deps, desk, draft, { ...intake, read }, job => produce(deps, desk, intake, job, draft))
}

/** What the work on one claimed job goes by. Where its files go is settled when the job is read. */
export function openDesk(
  deps: Deps,
  given: { settings: Settings; claim: Claim; deadlineAt: number; recipe?: string },
): Desk {
  return { ...deps, ...given, leaseUntil: given.deadlineAt + LEASE_MARGIN_MS, folder: '', replies: [], probes: [] }
}

/**
 * The end of every job, whichever lane it came by: what `middle` makes of it becomes `result.json`, and so does an error
 * that is final. Any other error is thrown, and the job is not over; nor is it when `middle` hands it to the batch lane.
 */
export async function conclude(
  deps: Deps,
  desk: Desk,
  draft: Result,
  { prefix, source, read }: Pick<Intake, 'prefix' | 'source' | 'read'>,
  middle: (job: Job) => Promise<Files | 'batched'>,
): Promise<Ended> {
  const { claim, settings } = desk
  const { storage, now, resultsBucket } = deps
  desk.folder = toFolder(prefix, claim.id)
  let files: Files = []
  try {
    const job = await read()
    draft.job = { ...job, id: claim.id }
    draft.labels = job.labels
    desk.folder = toFolder(job.prefix ?? prefix, claim.id)
    const known = await storage.read(`s3://${resultsBucket}/${resultKey(desk.folder)}`)
    if (known) return await end(deps, claim, desk.folder, JSON.parse(known.toString()) as Result)
    const made = await middle(job)
    if (made === 'batched') return { id: claim.id, status: made }
    files = made
    draft.status = 'done'
  } catch (error) {
    const final = toFinalError(error, claim, settings, now())
    if (!final) throw error
    Object.assign(draft, toResultError(final))
    if (final.code === 'ERR_UPLOAD_ECHO') return await endSilently(deps, claim, draft)
  }
  closeDraft(draft, desk, now())
  await writeResult(deps, claim.id, desk.folder, draft, files, source)
  const ended = await end(deps, claim, desk.folder, draft)
  await openGates(desk, 'over').catch(() => undefined)
  return ended
}

/**
 * Tells that a job is over, also one that an owner before had brought to its `result.json` and no further, and then lets go of
 * what it held: its place in a line, its files at Google.
 */
async function end(deps: Deps, claim: Claim, folder: string, result: Result): Promise<Ended> {
  const ended = await announce(deps, claim, folder, result)
  deps.log.info('job over', toLogLine(result))
  const { session } = result.job
  const resultUri = result.status === 'done' ? `s3://${deps.resultsBucket}/${resultKey(folder)}` : undefined
  if (session !== undefined) await leaveLine(deps, session, claim.id, resultUri)
  await removeFiles(deps.files, claim, deps.log)
  return ended
}

/** The ledger and the log are all that tell of it. */
async function endSilently({ ledger, log }: Deps, claim: Claim, draft: Result): Promise<Ended> {
  const { status, error } = draft
  await ledger.close(claim, { status, code: error?.code, usd: 0, resultUri: '-' })
  log.info('job over', toLogLine(draft))
  return { id: claim.id, status }
}

/** The middle of the flow: what it learns on the way is in the draft also when it throws. */
async function produce(deps: Deps, desk: Desk, intake: Intake, given: Job, draft: Result): Promise<Files | 'batched'> {
  const { claim, now } = desk
  const { session } = given
  if (session !== undefined) refuseEarly(given, desk.settings, isoDay(now()))
  const turn = session === undefined ? undefined : await takeTurn(deps, claim, session, intake.message)
  draft.session = turn?.facts
  const timeLeftMs = () => desk.deadlineAt - now()
  const material = await openMaterial({ ...deps, claim, pins: intake.pins, timeLeftMs }, given, turn, draft)
  const job = await writeWords(desk, given, material)
  const plan = { ...begin(desk, job, draft), base: material.base }
  await readKept(desk, plan)
  if (goesByBatch(desk, job)) {
    refuseHopeless(desk.replies)
    refuseEndless(claim)
    await parkLine(deps, desk, plan, await material.bring(plan), intake)
    return 'batched'
  }
  return develop(desk, draft, job, await askForPictures(desk, plan, material))
}

/** A job leaves the batch lane after the batches that the settings give it, or when a batch's end says so. */
function goesByBatch({ claim, settings, replies }: Desk, job: Job): boolean {
  if (job.lane !== 'batch' || replies.some(hasPictures)) return false
  return claim.lane !== 'now' && claim.batches < settings.batch.tries
}

/** Holds the job against every table, and notes what is asked of which model. */
export function begin({ claim, settings, now }: Desk, job: Job, draft: Result): Plan {
  const plan = makePlan(job, settings, isoDay(now()))
  draft.job = { ...job, id: claim.id, prompt: plan.prompt }
  draft.model = { requested: plan.requested, used: plan.modelId }
  draft.warnings.push(...plan.warnings)
  return plan
}

/** The files of a reply with pictures, and what the result says of them. */
export function develop({ folder, replies, claim }: Desk, draft: Result, job: Job, reply: Pictured): Files {
  const { verdict, plan: ran, version } = reply
  draft.session = claim.session ?? draft.session
  if (draft.session?.fresh !== undefined) draft.warnings.push(toFreshWarning(draft.session))
  draft.job.imageConfig = ran.job.imageConfig
  draft.model = { requested: ran.requested, used: ran.modelId, version }
  const { grounding, warnings } = withWordsGrounding(replies, reply.grounding)
  draft.warnings.push(...warnings, ...ran.warnings, ...verdict.warnings, ...compareWithWish(ran, verdict.pictures))
  if (job.lane === 'batch' && reply.lane === 'now')
    draft.warnings.push('no batch brought the picture: it was made by the now lane, at the full price')
  const { files, images } = toFiles(folder, verdict, job)
  draft.images = images
  draft.grounding = toResultGrounding(grounding)
  draft.text = wordsIn(verdict.markdown)
  return [...files, ...toAttributionFiles(folder, verdict.pictures, grounding)]
}

/** The error that ends the job, or `undefined` when it is not over: nobody can change a `wait`, but it may have lasted too long. */
function toFinalError(error: unknown, claim: Claim, settings: Settings, now: number): EditError | undefined {
  if (!(error instanceof EditError)) return undefined
  if (error.remedy === 'change') return error
  return findLate(claim, settings, now, `${error.code}: ${error.message}`)
}
