import { createHash } from 'node:crypto'

/** Bucket and key of `s3://bucket/key`; the key may hold anything, `?` and `#` too, so this is no URL. */
export function splitUri(uri: string): { Bucket: string; Key: string } {
  const slash = uri.indexOf('/', 5)
  return { Bucket: uri.slice(5, slash), Key: uri.slice(slash + 1) }
}

/** Bytes of the longest file name in a folder. */
const ROOM_FOR_FILES = 60
const KEY_LIMIT_BYTES = 900

/**
 * The folder of a job's files: `<prefix>/<id>`. A part that would climb (`..`), vanish (empty) or trouble a terminal (control
 * characters) is replaced by `_`; a prefix that would pass 900 bytes with its files is cut and gets a hash of the whole.
 */
export function toFolder(prefix: string, id: string): string {
  const safe = prefix
    .toWellFormed()
    .split('/')
    .map(part => (/^\.{0,2}$/.test(part) ? '_' : part.replace(/\p{Cc}/gu, '_')))
    .join('/')
  const room = KEY_LIMIT_BYTES - `/${id}/`.length - ROOM_FOR_FILES
  if (Buffer.byteLength(safe) <= room) return `${safe}/${id}`
  const hash = createHash('sha256').update(prefix).digest('hex').slice(0, 16)
  const cut = Buffer.from(safe).subarray(0, room - hash.length - 1)
  // A character may have been cut in the middle; its rest decodes as U+FFFD at the end.
  return `${cut
    .toString()
    .replace(/\ufffd+$/, '')
    .replace(/\/+$/, '')}-${hash}/${id}`
}

/** Who sees this key may rely on every file that it names; see `finish.ts`. */
export function resultKey(folder: string): string {
  return `${folder}/result.json`
}

/** Where the reply to a job's call is kept. */
export function replyKey(folder: string, attempt: number): string {
  return `${folder}/response-${attempt}.json`
}

/** Metadata as S3 takes it, printable ASCII under 2 KB together: values are percent-encoded, and cut at 400 characters. */
export function toMetadata(values: Record<string, string | undefined>): Record<string, string> {
  const entries = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, encodeMetadata(value)]],
  )
  return Object.fromEntries(entries)
}

const METADATA_LIMIT = 400

/** Cut between characters, so that what is left can be decoded. */
function encodeMetadata(value: string): string {
  let encoded = ''
  // Lone surrogates have no UTF-8, so encodeURIComponent refuses them.
  for (const character of value.toWellFormed()) {
    const next = character === '/' || character === ':' ? character : encodeURIComponent(character)
    if (encoded.length + next.length > METADATA_LIMIT) break
    encoded += next
  }
  return encoded
}
