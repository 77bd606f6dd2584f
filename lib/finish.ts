import { type Limits, openGates } from './admission.ts'
import type { Claim } from './aws/claim.ts'
import { resultKey, toFolder, toMetadata } from './aws/keys.ts'
import type { Edition, Latest } from './aws/latest.ts'
import type { Storage } from './aws/storage.ts'
import type { Topic } from './aws/topic.ts'
import { type Desk, openDesk } from './calls.ts'
import type { Settings } from './config.ts'
import { closeDraft, openDraft, toLogLine } from './draft.ts'
import { EditError } from './errors.ts'
import type { Gemini } from './gemini/client.ts'
import type { GeminiFiles } from './gemini/files.ts'
import type { Intake } from './intake.ts'
import type { Job } from './job.ts'
import type { Log } from './log.ts'
import { removeFiles } from './material.ts'
import type { Files } from './prints.ts'
import { type Result, type Status, toResultError } from './result.ts'
import { type Lines, leaveLine } from './session.ts'
import { readPlannedAt } from './tick.ts'
import { findLate } from './waiting.ts'

/** What it takes to bring a claimed job to its end, in either lane. */
export type Finishers = Limits &
  Lines & {
    storage: Storage
    latest: Latest
    topic: Topic
    gemini: Gemini
    files: GeminiFiles
    resultsBucket: string
    log: Pick<Log, 'info' | 'warn' | 'error'>
  }

/** `batched`: the queue is done with the job, and the batch lane brings it on. */
export type Ended = { id: string; status: Status | 'batched' }

/**
 * The end of every job, whichever lane it came by: what `middle` makes of it becomes `result.json`, and so does an error
 * that is final. Any other error is thrown, and the job is not over; nor is it when `middle` hands it to the batch lane.
 */
export async function conclude(
  deps: Finishers,
  owner: Pick<Desk, 'claim' | 'settings' | 'deadlineAt'>,
  { prefix, source, recipe, read }: Pick<Intake, 'prefix' | 'source' | 'recipe' | 'read'>,
  middle: (desk: Desk, job: Job, draft: Result) => Promise<Files | 'batched'>,
): Promise<Ended> {
  const { claim, settings } = owner
  const { storage, now, resultsBucket } = deps
  const draft = openDraft(claim, now())
  const desk = openDesk(deps, owner, { recipe, folder: toFolder(prefix, claim.id) })
  let files: Files = []
  try {
    const job = await read()
    draft.job = { ...job, id: claim.id }
    draft.labels = job.labels
    desk.folder = toFolder(job.prefix ?? prefix, claim.id)
    const known = await storage.read(`s3://${resultsBucket}/${resultKey(desk.folder)}`)
    if (known) return await end(deps, claim, desk.folder, JSON.parse(known.toString()) as Result)
    const made = await middle(desk, job, draft)
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

/** The error that ends the job, or `undefined` when it is not over: nobody can change a `wait`, but it may have lasted too long. */
function toFinalError(error: unknown, claim: Claim, settings: Settings, now: number): EditError | undefined {
  if (!(error instanceof EditError)) return undefined
  if (error.remedy === 'change') return error
  return findLate(claim, settings, now, `${error.code}: ${error.message}`)
}

/**
 * The order of the end: files, `result.json`, `latest.json`, topic, ledger. Whoever sees `result.json` may rely on the files. Each step can
 * be repeated, and once `result.json` is there a job has ended: whoever takes over after a death only goes on from there.
 */
async function writeResult(
  { storage, resultsBucket }: Finishers,
  id: string,
  folder: string,
  result: Result,
  files: Files,
  source: string | undefined,
): Promise<void> {
  const metadata = toMetadata({
    'darkroom-job': id,
    'darkroom-operation': result.job.operation,
    'darkroom-model': result.model?.used,
    'darkroom-source': source,
  })
  const write = ({ key, body, contentType }: Files[number]) =>
    storage.write(resultsBucket, key, body, { contentType, metadata })
  await Promise.all(files.map(write))
  const body = `${JSON.stringify(result, null, 2)}\n`
  await write({ key: resultKey(folder), body, contentType: 'application/json' })
}

/**
 * Tells that a job is over, also one that an owner before had brought to its `result.json` and no further, and then lets go of
 * what it held: its place in a line, its files at Google.
 */
async function end(deps: Finishers, claim: Claim, folder: string, result: Result): Promise<Ended> {
  const ended = await announce(deps, claim, folder, result)
  deps.log.info('job over', toLogLine(result))
  const { session } = result.job
  const resultUri = result.status === 'done' ? `s3://${deps.resultsBucket}/${resultKey(folder)}` : undefined
  if (session !== undefined) await leaveLine(deps, session, claim.id, resultUri)
  await removeFiles(deps.files, claim, deps.log)
  return ended
}

/** Tells the world and the ledger of a `result.json` that is there: the last three steps of the end. */
async function announce(
  { latest, topic, ledger, resultsBucket }: Finishers,
  claim: Claim,
  folder: string,
  result: Result,
): Promise<Ended> {
  const { id } = claim
  const { status, error, cost, images } = result
  const key = resultKey(folder)
  const edition = toEdition(id, folder, result)
  if (edition) await latest.publish(resultsBucket, result.job.publishAs ?? '', edition)
  const code = error?.code
  await topic.publish({ id, status, bucket: resultsBucket, key, image: images[0]?.key, usd: cost.usd, code })
  await ledger.close(claim, { status, code, usd: cost.usd, resultUri: `s3://${resultsBucket}/${key}` })
  return { id, status }
}

/** What a result is published as; `undefined` where it is to stay unpublished, so that a bad day replaces no good picture. */
function toEdition(id: string, folder: string, result: Result): Edition | undefined {
  const { status, job, images, grounding, timing } = result
  const [first] = images
  if (status !== 'done' || job.publishAs === undefined || !first) return undefined
  return {
    id,
    plannedAt: new Date(readPlannedAt(id) ?? timing.firstSeenAt).toISOString(),
    result: resultKey(folder),
    image: first.key,
    images: images.map(({ key }) => key),
    attribution: grounding && `${folder}/attribution.html`,
  }
}

/** The ledger and the log are all that tell of it. */
async function endSilently({ ledger, log }: Finishers, claim: Claim, draft: Result): Promise<Ended> {
  const { status, error } = draft
  await ledger.close(claim, { status, code: error?.code, usd: 0, resultUri: '-' })
  log.info('job over', toLogLine(draft))
  return { id: claim.id, status }
}
