import type { Content, GenerateRequest, Part } from './generate-request.ts'
import { invalid } from './google-error.ts'
import { isSignedBy } from './signatures.ts'

/** What an image is for, as the words before it say. */
export type Role = 'base' | 'style' | 'mask'
export type Attachment = { bytes: Buffer; mimeType: string; role: Role }

/** Gives the bytes behind a file's address, or refuses. */
export type OpenFile = (uri: string) => { bytes: Buffer; mimeType: string }

const ROLES: readonly (readonly [words: RegExp, role: Role])[] = [
  [/^image \d+ is .*\bmask\b/i, 'mask'],
  [/^image \d+ is .*\bstyle\b/i, 'style'],
]
const LABEL = /^image \d+\b[^:]*:\s*$/i
const MORE = 'Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures#model-behavior for more details.'

/** The last user turn's words, without the labels of its images. */
export function readPrompt(request: GenerateRequest): string {
  const texts = (lastTurn(request)?.parts ?? []).flatMap(part => part.text ?? [])
  return texts
    .filter(text => !LABEL.test(text.trim()))
    .join('\n')
    .trim()
}

/**
 * The images that an answer starts from, in order: the picture made last in this conversation, then those of the last turn.
 * Without either, the images sent before.
 */
export function readInputs(request: GenerateRequest, openFile: OpenFile): Attachment[] {
  const turns = request.contents ?? []
  const made = turns.filter(turn => turn.role === 'model').flatMap(turn => imagesOf(turn, openFile))
  const sent = turns.filter(turn => turn.role !== 'model').map(turn => imagesOf(turn, openFile))
  const inputs = [...made.slice(-1), ...(sent.at(-1) ?? [])]
  return inputs.length ? inputs : sent.flat()
}

/** How many images the request holds, thoughts left out. */
export function countImages(request: GenerateRequest): number {
  return (request.contents ?? []).flatMap(turn => turn.parts ?? []).filter(isImage).length
}

/** Every word of the request, for counting. */
export function allText(request: GenerateRequest): string {
  const turns = [request.systemInstruction, ...(request.contents ?? [])]
  return turns.flatMap(turn => turn?.parts?.flatMap(part => part.text ?? []) ?? []).join('\n')
}

/** Refuses model turns whose images and first text come back without their signature, or with another. */
export function checkSignatures(model: string, request: GenerateRequest, openFile: OpenFile): void {
  for (const [turn, content] of (request.contents ?? []).entries()) {
    if (content.role !== 'model') continue
    const parts = content.parts ?? []
    const firstText = parts.findIndex(part => part.text && !part.thought)
    for (const [at, part] of parts.entries()) {
      if (!isImage(part) && at !== firstText) continue
      if (!part.thoughtSignature) throw missing(isImage(part) ? 'Image' : 'Text', turn, at)
      const signed = isImage(part) ? bytesOf(part, openFile).bytes : (part.text ?? '')
      if (!isSignedBy(model, signed, part.thoughtSignature)) throw invalid('Thought signature is not valid')
    }
  }
}

function missing(kind: string, turn: number, part: number) {
  const where = `content position ${turn + 1}, part position ${part + 1}`
  return invalid(`${kind} part is missing a thought_signature in ${where}. ${MORE}`)
}

function lastTurn(request: GenerateRequest): Content | undefined {
  return request.contents?.findLast(turn => turn.role !== 'model')
}

function isImage(part: Part): boolean {
  return !part.thought && Boolean(part.inlineData ?? part.fileData)
}

function imagesOf(turn: Content, openFile: OpenFile): Attachment[] {
  const parts = turn.parts ?? []
  return parts.flatMap((part, at) =>
    isImage(part) ? [{ ...bytesOf(part, openFile), role: roleAfter(parts[at - 1]?.text) }] : [],
  )
}

function roleAfter(words = ''): Role {
  return ROLES.find(([pattern]) => pattern.test(words.trim()))?.[1] ?? 'base'
}

function bytesOf(part: Part, openFile: OpenFile): { bytes: Buffer; mimeType: string } {
  if (part.fileData) return openFile(part.fileData.fileUri ?? '')
  const { data = '', mimeType = '' } = part.inlineData ?? {}
  return { bytes: Buffer.from(data, 'base64'), mimeType }
}
