import { createHash, randomBytes } from 'node:crypto'
import type { OpenFile } from './attachments.ts'
import { GoogleError, invalid } from './google-error.ts'

const HOUR_MS = 3_600_000
const KEPT_MS = 48 * HOUR_MS
const LIMIT_BYTES = 2 * 2 ** 30

type Kept = { bytes: Buffer; mimeType: string; displayName?: string; createdAt: number }
type Upload = {
  chunks: Buffer[]
  receivedBytes: number
  announcedBytes: number
  mimeType: string
  name: string
  displayName?: string
}
export type NewFile = { name?: string; displayName?: string; mimeType: string; sizeBytes: number }

export type Files = ReturnType<typeof createFiles>

/** Files as Google keeps them: 48 hours by the stand-in's clock, in memory. `uriOf` makes a file's address. */
export function createFiles(now: () => number, uriOf: (name: string) => string) {
  const files = new Map<string, Kept>()
  const uploads = new Map<string, Upload>()
  /** Files by the upload that they came by: who lost the last answer can ask for it again. */
  const finished = new Map<string, { name: string; sizeBytes: number }>()

  const find = (name: string): Kept => {
    const kept = files.get(name)
    if (kept && now() < kept.createdAt + KEPT_MS) return kept
    files.delete(name)
    throw noSuchFile(name)
  }
  const uploading = (id: string): Upload => {
    const upload = uploads.get(id)
    if (!upload) throw new GoogleError(404, 'Requested entity was not found.')
    return upload
  }
  const keep = (name: string, file: Omit<Kept, 'createdAt'>) => {
    files.set(name, { ...file, createdAt: now() })
    return name
  }

  return {
    /** Keeps bytes under a new name, as an upload or a batch's result does. */
    put: (bytes: Buffer, mimeType: string, displayName?: string) =>
      keep(newName(), { bytes, mimeType, ...(displayName !== undefined && { displayName }) }),
    describe: (name: string) => describe(name, find(name), uriOf(name)),
    bytes: (name: string) => find(name).bytes,
    list: () =>
      [...files.keys()]
        .filter(name => isKept(files.get(name), now()))
        .map(name => describe(name, find(name), uriOf(name))),
    remove(name: string): void {
      find(name)
      files.delete(name)
    },
    open: ((uri: string) => find(nameIn(uri))) satisfies OpenFile,

    startUpload(file: NewFile): string {
      if (file.sizeBytes > LIMIT_BYTES) throw invalid(`File size exceeds the limit: ${LIMIT_BYTES} bytes.`)
      const name = file.name?.replace(/^files\//, '') || newName()
      if (files.has(name)) throw new GoogleError(409, `File ${name} already exists.`, { status: 'ALREADY_EXISTS' })
      const id = randomBytes(12).toString('base64url')
      uploads.set(id, { ...file, name, chunks: [], receivedBytes: 0, announcedBytes: file.sizeBytes })
      return id
    },
    /** The file that an upload became, or `undefined` while it goes on. */
    finished: (id: string) => {
      const done = finished.get(id)
      return done && { file: describe(done.name, find(done.name), uriOf(done.name)), sizeBytes: done.sizeBytes }
    },
    receivedBytes: (id: string) => uploading(id).receivedBytes,
    addChunk(id: string, offset: number, chunk: Buffer): void {
      const upload = uploading(id)
      if (offset !== upload.receivedBytes)
        throw invalid(`Upload offset ${offset} does not match the ${upload.receivedBytes} bytes received.`)
      upload.chunks.push(chunk)
      upload.receivedBytes += chunk.length
    },
    finishUpload(id: string) {
      const { chunks, receivedBytes, announcedBytes, name, mimeType, displayName } = uploading(id)
      if (receivedBytes !== announcedBytes)
        throw invalid(`Upload has ${receivedBytes} bytes, ${announcedBytes} were announced.`)
      uploads.delete(id)
      finished.set(id, { name, sizeBytes: receivedBytes })
      keep(name, { bytes: Buffer.concat(chunks), mimeType, ...(displayName !== undefined && { displayName }) })
      return describe(name, find(name), uriOf(name))
    },
    dropUpload: (id: string) => uploads.delete(id),
  }
}

const isKept = (kept: Kept | undefined, now: number) => kept !== undefined && now < kept.createdAt + KEPT_MS
const newName = () => randomBytes(8).toString('hex').slice(0, 12)
const nameIn = (uri: string) => uri.match(/files\/([^/:?]+)/)?.[1] ?? uri

/** Google does not tell a file that is gone from one that is another's. */
function noSuchFile(name: string): GoogleError {
  return new GoogleError(403, `You do not have permission to access the File ${name} or it may not exist.`)
}

function describe(name: string, { bytes, mimeType, displayName, createdAt }: Kept, uri: string) {
  const at = (ms: number) => new Date(ms).toISOString()
  return {
    name: `files/${name}`,
    ...(displayName !== undefined && { displayName }),
    mimeType,
    sizeBytes: String(bytes.length),
    createTime: at(createdAt),
    updateTime: at(createdAt),
    expirationTime: at(createdAt + KEPT_MS),
    // Google gives the hexadecimal digest, in base64 once more.
    sha256Hash: Buffer.from(createHash('sha256').update(bytes).digest('hex')).toString('base64'),
    uri,
    state: 'ACTIVE',
    source: 'UPLOADED',
  }
}
