import { createHash } from 'node:crypto'
import { buildAttribution } from './attribution.ts'
import { type Grounding, isGrounded, joinGroundings, toResultGrounding } from './grounding.ts'
import type { Job } from './job.ts'
import { expectedPixels } from './models.ts'
import type { Picture } from './parts.ts'
import type { Plan } from './plan.ts'
import type { JudgedReply, Pictured, Tray } from './replies.ts'
import type { ImageFacts, Result } from './result.ts'
import { toFreshWarning } from './session.ts'

/** Files of a result beside `result.json` itself. */
export type Files = { key: string; body: Buffer | string; contentType: string }[]

/** The files of a reply with pictures, and what the result says of them. */
export function develop({ folder, replies, claim }: Tray, draft: Result, job: Job, reply: Pictured): Files {
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

/** The pictures and texts of a reply as files of a folder. */
function toFiles(folder: string, verdict: Pictured['verdict'], job: Job): { files: Files; images: ImageFacts[] } {
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
function toAttributionFiles(folder: string, pictures: readonly Picture[], grounding: Grounding | undefined): Files {
  if (!isGrounded(grounding)) return []
  const { json, html } = buildAttribution(pictures, grounding)
  return [
    { key: `${folder}/attribution.json`, body: json, contentType: 'application/json' },
    { key: `${folder}/attribution.html`, body: html, contentType: 'text/html; charset=utf-8' },
  ]
}

/** The text with its pictures' places, or `undefined` where it has pictures only. */
function wordsIn(markdown: string): string | undefined {
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
function compareWithWish({ model, job }: Plan, pictures: readonly Picture[]): string[] {
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

/** What a picture's words and the picture itself were looked up from, together, and what there is to warn of in the words. */
function withWordsGrounding(
  replies: readonly JudgedReply[],
  picture: Grounding | undefined,
): { grounding: Grounding | undefined; warnings: string[] } {
  const words = replies.flatMap(({ verdict, grounding }) => ('phrase' in verdict ? [{ verdict, grounding }] : []))
  return {
    grounding: joinGroundings([...words.map(({ grounding }) => grounding), picture]),
    warnings: words.flatMap(({ verdict }) => verdict.warnings),
  }
}
