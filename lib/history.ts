import { replyKey } from './aws/keys.ts'
import type { Ledger } from './aws/ledger.ts'
import type { LastTurn } from './aws/sessions.ts'
import type { Storage } from './aws/storage.ts'
import { EditError } from './errors.ts'
import { buildTurn, type RequestImage } from './gemini/request.ts'
import { readModelTurn } from './gemini/turns.ts'
import type { Plan } from './plan.ts'
import type { Result } from './result.ts'

type Content = ReturnType<typeof buildTurn>

/** All that was said in a session since its last fresh start, as it goes back to the model. */
export type History = { contents: Content[]; sizeBytes: number }

export type Archive = { storage: Storage; ledger: Ledger; resultsBucket: string }

/** Of the 100 MB that Google takes; the rest is for the turn itself. */
const LINE_LIMIT_BYTES = 80_000_000

/** A session's turn can't go on with all that was said; the message says why. */
export class BrokenLine extends Error {
  override readonly name = 'BrokenLine'
}

/** What Google answered, and what it was asked, in order, as it was kept: nothing is stored for sessions but that. */
export async function readHistory(archive: Archive, last: Result, plan: Plan): Promise<History> {
  if (last.model?.used !== plan.modelId) {
    throw new BrokenLine(`the model changed from ${last.model?.used} to ${plan.modelId}`)
  }
  const results = await readResults(archive, last)
  const images = results.reduce((sum, { inputs }) => sum + inputs.length, plan.job.inputs.length)
  const { most } = plan.model.references
  if (images > most) throw new BrokenLine(`${plan.modelId} takes ${most} input images, the session has ${images}`)
  const history: History = { contents: [], sizeBytes: 0 }
  // The newest first: a line that is too long is given up after 80 MB, not after all of it was fetched.
  for (const result of results) {
    const answer = await readAnswer(archive, result)
    const question = await readQuestion(archive.storage, result)
    history.sizeBytes += answer.sizeBytes + question.sizeBytes
    if (history.sizeBytes > LINE_LIMIT_BYTES) throw new BrokenLine(`its turns have over ${LINE_LIMIT_BYTES / 1e6} MB`)
    history.contents.unshift(question.content, answer.content)
  }
  return history
}

/** The result of the turn before, or `undefined` if it is gone. */
export async function readLast({ storage }: Pick<Archive, 'storage'>, last: LastTurn): Promise<Result | undefined> {
  const bytes = await storage.read(last.resultUri)
  return bytes && (JSON.parse(bytes.toString()) as Result)
}

async function readResults({ storage, ledger }: Archive, last: Result): Promise<Result[]> {
  const results = [last]
  for (let at = last.session; at?.continuesFrom !== undefined && at.fresh === undefined; at = results.at(-1)?.session) {
    const resultUri = (await ledger.show(at.continuesFrom))?.resultUri
    const bytes = resultUri === undefined ? undefined : await storage.read(String(resultUri))
    if (!bytes) throw new BrokenLine(`the result of job ${at.continuesFrom} is gone`)
    results.push(JSON.parse(bytes.toString()) as Result)
  }
  return results
}

type Said = { content: Content; sizeBytes: number }

async function readAnswer({ storage, resultsBucket }: Archive, { job, images, attempts }: Result): Promise<Said> {
  const [image] = images
  const folder = image?.key.slice(0, image.key.lastIndexOf('/')) ?? ''
  for (const { attempt } of attempts.filter(({ outcome }) => outcome === 'reply' || outcome === 'kept')) {
    const bytes = await storage.read(`s3://${resultsBucket}/${replyKey(folder, attempt)}`)
    const content = bytes && readModelTurn(JSON.parse(bytes.toString()), image?.sha256 ?? '')
    if (content) return { content, sizeBytes: bytes.length }
  }
  throw new BrokenLine(`the reply to job ${job.id} has expired`)
}

async function readQuestion(storage: Storage, { job, inputs }: Result): Promise<Said> {
  // A fresh start puts the last picture before the job's own inputs.
  const extra = inputs.length - (job.inputs?.length ?? 0)
  const images: RequestImage[] = []
  for (const [at, { uri, etag, versionId, mimeType }] of inputs.entries()) {
    const bytes = await storage.read(uri, { etag, versionId }).catch((error: unknown) => {
      if (error instanceof EditError && error.remedy === 'change') return undefined
      throw error
    })
    if (!bytes) throw new BrokenLine(`input ${uri} of job ${job.id} is gone or was overwritten`)
    images.push({ bytes, mimeType, role: at < extra ? 'base' : job.inputs?.[at - extra]?.role })
  }
  const content = buildTurn(job.prompt ?? '', images)
  const sizeBytes = images.reduce(
    (sum, image) => sum + ('bytes' in image ? Math.ceil(image.bytes.length / 3) * 4 : 0),
    0,
  )
  return { content, sizeBytes: sizeBytes + Buffer.byteLength(job.prompt ?? '') }
}
