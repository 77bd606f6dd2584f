import type { Usage } from './cost.ts'
import type { Grounding } from './grounding.ts'
import { IMAGE_TYPES, type ImageType, inspectImage } from './image.ts'

/** A piece of the model's reply, in the order in which it came. A thought is a draft: shown on request, never the result. */
export type Part =
  | { kind: 'text'; text: string; thought: boolean }
  | { kind: 'image'; bytes: Buffer; declaredType: string; thought: boolean }

type ImagePart = Extract<Part, { kind: 'image' }>

/** One reply, read: all that Darkroom goes on. Everything but `parts` and `usage` may be missing, and every name may be new. */
export type Reply = {
  parts: Part[]
  finishReason?: string
  finishMessage?: string
  blockReason?: string
  blockMessage?: string
  modelVersion?: string
  responseId?: string
  /** What a search found for it, all candidates together. */
  grounding?: Grounding
  usage: Usage
}

/** An image of the reply whose bytes were believed: `name` is its file in the result's folder. */
export type Picture = { name: string; bytes: Buffer; mimeType: ImageType; width: number; height: number }

/** How a part is shown in `text.md`: its words, or its picture, or the note that the picture could not be read. */
type Developed = { pictures: Picture[]; markdown: string; unreadable: string[] }

/**
 * The parts that are meant as the answer (`thought: false`) or the drafts (`thought: true`), in order: pictures named
 * `image-1.jpg`, … or `thought-1.jpg`, …, and the text with a link where each picture stood. The extension follows the bytes.
 */
export function developParts(parts: readonly Part[], thought: boolean): Developed {
  const developed: Developed = { pictures: [], markdown: '', unreadable: [] }
  const paragraphs: string[] = []
  for (const part of parts.filter(candidate => candidate.thought === thought)) {
    if (part.kind === 'text') {
      paragraphs.push(part.text)
      continue
    }
    const picture = developImage(part, `${thought ? 'thought' : 'image'}-${developed.pictures.length + 1}`)
    if (typeof picture === 'string') {
      developed.unreadable.push(picture)
      continue
    }
    developed.pictures.push(picture)
    paragraphs.push(`![${picture.name}](${picture.name})`)
  }
  developed.markdown = paragraphs.join('\n\n')
  return developed
}

function developImage(part: ImagePart, stem: string): Picture | string {
  const image = inspectImage(part.bytes)
  if (image.fault) return `an image declared as ${part.declaredType} cannot be read: ${image.detail}`
  const { mimeType, width, height } = image
  return { name: `${stem}.${IMAGE_TYPES[mimeType].extension}`, bytes: part.bytes, mimeType, width, height }
}

/** The model's words without its pictures and thoughts. */
export function wordsOf(parts: readonly Part[]): string {
  return parts
    .filter(part => part.kind === 'text' && !part.thought)
    .map(part => (part.kind === 'text' ? part.text : ''))
    .join('\n\n')
    .trim()
}

/** The reply with its last draft as the answer, for the rare one whose every image is a thought. */
export function promoteLastThought(parts: readonly Part[]): Part[] {
  const last = parts.findLast((part): part is ImagePart => part.kind === 'image' && part.thought)
  return parts.map(part => (part === last ? { ...part, thought: false } : part))
}
