import { z } from 'zod'
import type { UploadNotice } from './aws/events.ts'
import { toUploadId } from './aws/events.ts'
import { asInput } from './aws/inputs.ts'
import type { JobMessage } from './aws/ledger.ts'
import { JOB_ID } from './aws/messages.ts'
import type { RecipeBucket } from './aws/recipe-bucket.ts'
import type { ObjectFacts, Pin, Storage } from './aws/storage.ts'
import { EditError } from './errors.ts'
import { hashOf, Job, MESSAGE_LIMIT_BYTES, parseJob, parseJson } from './job.ts'
import { applyRecipe, isPhoto, recipeNameOf } from './recipes.ts'
import { readPlannedAt } from './tick.ts'

/** A job on its way in: who it is, before anybody has read what it is. */
export type Intake = {
  id: string
  /** Tells two contents of one id apart. */
  hash: string
  /** When its first message was sent, in epoch milliseconds. */
  firstSeenAt: number
  /** Where its result goes if the job itself names no prefix, or can't be read. */
  prefix: string
  /** The id under which a sender is told that the id was taken. */
  spareId: string
  /** The uploaded object, as a URI. */
  source?: string
  /** The recipe that started it, whose budget it spends. */
  recipe?: string
  /** Versions that the event itself named. */
  pins: ReadonlyMap<string, Pin>
  /** The message that it came by. */
  message?: JobMessage
  read: () => Promise<Job>
}

/** A message's own facts. `id` is set on messages that Darkroom sent again. */
type MessageFacts = { messageId: string; id?: string; firstSeenAt: number }

/** The job in a message of the jobs queue. A body that is no JSON object throws; a faulty job gets a result that says so. */
export function openJobMessage(body: string, { messageId, id, firstSeenAt }: MessageFacts): Intake {
  const value = parseJson(body, 'the message')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EditError('ERR_JOB_UNREADABLE', 'the message is JSON, but no object')
  }
  const resumed = Resumption.safeParse(value)
  if (resumed.success) return openResumption(resumed.data.resume, firstSeenAt)
  const ownId = readId(value)
  // A tick that is delivered twice makes the same job, even if its forecast was another the second time.
  const tickId = ownId === undefined && id !== undefined && readPlannedAt(id) !== undefined ? id : undefined
  return {
    id: ownId ?? id ?? `msg-${messageId}`,
    hash: hashOf(tickId ?? value),
    firstSeenAt,
    prefix: 'jobs',
    spareId: `msg-${messageId}`,
    pins: new Map(),
    read: async () => {
      checkSize('the message', Buffer.byteLength(body))
      return parseJob(value)
    },
  }
}

/** A job that its batch brought back: its row in the ledger has all that is known of it. */
const Resumption = z.strictObject({
  resume: z.strictObject({
    id: z.string().regex(JOB_ID),
    hash: z.string(),
    prefix: z.string(),
    source: z.string().optional(),
    recipe: z.string().optional(),
  }),
})
type Resumption = z.infer<typeof Resumption>['resume']

/** The message that sends a batched job to the jobs queue again. */
export function writeResumption({ id, hash, prefix, source, recipe }: Resumption): string {
  return JSON.stringify({ resume: { id, hash, prefix, source, recipe } } satisfies z.infer<typeof Resumption>)
}

function openResumption({ id, hash, prefix, source, recipe }: Resumption, firstSeenAt: number): Intake {
  const read = () =>
    Promise.reject(new EditError('ERR_JOB_UNREADABLE', `job ${id} is to go on, and the ledger knows nothing of it`))
  return { id, hash, firstSeenAt, prefix, spareId: id, source, recipe, pins: new Map(), read }
}

/** The sender's id, if it is one that a job may have; a faulty one is named when the job is read. */
function readId(value: object): string | undefined {
  return Job.shape.id.safeParse((value as { id?: unknown }).id).data
}

type UploadSources = { storage: Storage; recipes: RecipeBucket; recipesBucket: string; uploadedJobs: boolean }

const JOB_FILE = /\.job\.json$/i

/** The job that an uploaded photo, or a `*.job.json`, starts. */
export function openUpload(notice: UploadNotice, { firstSeenAt }: MessageFacts, sources: UploadSources): Intake {
  const { bucket, key, versionId, etag } = notice
  const id = toUploadId(notice)
  const source = `s3://${bucket}/${key}`
  const pin =
    etag === undefined ? [] : [[source, { etag, versionId: versionId === 'null' ? undefined : versionId }] as const]
  const pins = new Map<string, Pin>(pin)
  const read = () => (JOB_FILE.test(key) ? readJobFile(notice, sources) : readPhotoJob(notice, sources))
  const recipe = JOB_FILE.test(key) ? undefined : key.split('/')[0]
  return { id, hash: hashOf(id), firstSeenAt, prefix: withoutExtension(key), spareId: id, source, recipe, pins, read }
}

function withoutExtension(key: string): string {
  return key.replace(JOB_FILE, '').replace(/(?<=[^/])\.[^./]+$/, '')
}

async function readPhotoJob(
  { bucket, key, versionId }: UploadNotice,
  { storage, recipes, recipesBucket }: UploadSources,
): Promise<Job> {
  const uri = `s3://${bucket}/${key}`
  const head = await asInput(uri, storage.head(uri, versionId === 'null' ? undefined : versionId))
  if (head) refuseResult(uri, head)
  const name = recipeNameOf(key)
  if (!head) throw new EditError('ERR_INPUT_NOT_FOUND', `${uri} was gone before it could be edited`)
  const recipe = await recipes.recipe(name)
  return parseJob(applyRecipe(recipe, name, { bucket, key, metadata: head.metadata }, recipesBucket))
}

/**
 * What carries Darkroom's mark starts no job. A picture may have been put there by a person, who is told; the other files of a
 * result come only from something that copies results back, and to that an answer would be the next file to copy.
 */
function refuseResult(uri: string, { metadata }: ObjectFacts): void {
  const job = metadata['darkroom-job']
  if (job === undefined) return
  const code = isPhoto(uri) ? 'ERR_UPLOAD_IS_A_RESULT' : 'ERR_UPLOAD_ECHO'
  throw new EditError(code, `${uri} is a result of job ${job}: results start no jobs`)
}

function checkSize(what: string, sizeBytes: number): void {
  if (sizeBytes <= MESSAGE_LIMIT_BYTES) return
  throw new EditError('ERR_JOB_INVALID', `${what} has ${sizeBytes} bytes: a job has at most ${MESSAGE_LIMIT_BYTES}`)
}

async function readJobFile(
  { bucket, key, versionId }: UploadNotice,
  { storage, uploadedJobs }: UploadSources,
): Promise<Job> {
  const uri = `s3://${bucket}/${key}`
  if (!uploadedJobs)
    throw new EditError('ERR_UPLOAD_JOBS_OFF', `${uri}: uploaded jobs are switched off here; set UPLOADED_JOBS=on`)
  const head = await asInput(uri, storage.head(uri, versionId === 'null' ? undefined : versionId))
  if (head) refuseResult(uri, head)
  // What is larger is never fetched.
  if (head) checkSize(uri, head.sizeBytes)
  const bytes = head && (await asInput(uri, storage.read(uri, head)))
  if (!bytes) throw new EditError('ERR_INPUT_NOT_FOUND', `${uri} was gone before it could be read`)
  const folder = `s3://${bucket}/${key.slice(0, key.lastIndexOf('/') + 1)}`
  const job = parseJob(resolveNames(parseJson(bytes.toString(), uri), folder))
  if (job.id === undefined) return job
  throw new EditError(
    'ERR_JOB_INVALID',
    `${uri}: id: an uploaded job has its upload's; leave it out, or send the job to the queue`,
  )
}

/** In a `.job.json` a relative name means the same folder. */
function resolveNames(value: unknown, folder: string): unknown {
  if (typeof value !== 'object' || value === null || !Array.isArray((value as { inputs?: unknown }).inputs))
    return value
  const resolve = (uri: unknown) =>
    typeof uri === 'string' && !uri.startsWith('s3://') ? `${folder}${uri.replace(/^\.\//, '')}` : uri
  const inputs = (value as { inputs: unknown[] }).inputs.map(input =>
    typeof input === 'object' && input !== null
      ? { ...input, uri: resolve((input as { uri?: unknown }).uri) }
      : resolve(input),
  )
  return { ...value, inputs }
}
