import { createHash } from 'node:crypto'
import { buildAttribution } from './attribution.ts'
import type { Claim } from './aws/claim.ts'
import { resultKey, toMetadata } from './aws/keys.ts'
import type { Edition, Latest } from './aws/latest.ts'
import type { Ledger } from './aws/ledger.ts'
import type { Storage } from './aws/storage.ts'
import type { Topic } from './aws/topic.ts'
import { type Grounding, isGrounded } from './grounding.ts'
import type { Job } from './job.ts'
import { expectedPixels } from './models.ts'
import type { Picture } from './parts.ts'
import type { JudgedReply, Pictured } from './replies.ts'
import type { ImageFacts, Result, Status } from './result.ts'
import { readPlannedAt } from './tick.ts'

export type Finishers = { storage: Storage; latest: Latest; topic: Topic; ledger: Ledger; resultsBucket: string }

/** Files of a result beside `result.json` itself. */
export type Files = { key: string; body: Buffer | string; contentType: string }[]

/** The pictures and texts of a reply as files of a folder. */
export function toFiles(
  folder: string,
  verdict: Pictured['verdict'],
  job: Job,
): { files: Files; images: ImageFacts[] } {
  const toFile = ({ name, bytes, mimeType }: Picture) => ({
    key: `${folder}/${name}`,
    body: bytes,
    contentType: mimeType,
  })
  const files: Files = verdict.pictures.map(toFile)
  if (wordsIn(verdict.markdown)) files.push(toMarkdown(folder, 'text', verdict.markdown))
  if (job.thinkingConfig?.includeThoughts) {
    files.push(...verdict.drafts.map(toFile))
    if (verdict.draftMarkdown !== '') files.push(toMarkdown(folder, 'thoughts', verdict.draftMarkdown))
  }
  return { files, images: verdict.pictures.map(picture => toImageFacts(folder, picture)) }
}

/** What has to be shown beside pictures that were looked up; nothing beside others. */
export function toAttributionFiles(
  folder: string,
  pictures: readonly Picture[],
  grounding: Grounding | undefined,
): Files {
  if (!isGrounded(grounding)) return []
  const { json, html } = buildAttribution(pictures, grounding)
  return [
    { key: `${folder}/attribution.json`, body: json, contentType: 'application/json' },
    { key: `${folder}/attribution.html`, body: html, contentType: 'text/html; charset=utf-8' },
  ]
}

/** The text with its pictures' places, or `undefined` where it has pictures only. */
export function wordsIn(markdown: string): string | undefined {
  return markdown.replace(/!\[[^\]]*\]\([^)]*\)/g, '').trim() === '' ? undefined : markdown
}

function toMarkdown(folder: string, stem: string, body: string) {
  return { key: `${folder}/${stem}.md`, body: `${body}\n`, contentType: 'text/markdown; charset=utf-8' }
}

function toImageFacts(folder: string, { name, mimeType, width, height, bytes }: Picture): ImageFacts {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { key: `${folder}/${name}`, mimeType, width, height, bytes: bytes.length, sha256 }
}

/** Where pixels are not what the job asked for: the picture counts, the result says so. */
export function compareWithWish({ model, job }: JudgedReply['plan'], pictures: readonly Picture[]): string[] {
  const { aspectRatio, imageSize } = job.imageConfig ?? {}
  const wished = aspectRatio && expectedPixels(model, aspectRatio, imageSize)
  if (!wished) return []
  const [width, height] = wished
  return pictures
    .filter(picture => picture.width !== width || picture.height !== height)
    .map(
      picture =>
        `asked for ${[aspectRatio, imageSize].filter(Boolean).join(' at ')} (${width}×${height}), got ${picture.width}×${picture.height} in ${picture.name}`,
    )
}

/**
 * The order of the end: files, `result.json`, `latest.json`, topic, ledger. Whoever sees `result.json` may rely on the files. Each step can
 * be repeated, and once `result.json` is there a job has ended: whoever takes over after a death only goes on from there.
 */
export async function writeResult(
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

/** `batched`: the queue is done with the job, and the batch lane brings it on. */
export type Ended = { id: string; status: Status | 'batched' }

/** Tells the world and the ledger of a `result.json` that is there: the last three steps of the end. */
export async function announce(
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
