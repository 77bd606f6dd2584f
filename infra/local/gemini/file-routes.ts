import type { IncomingMessage } from 'node:http'
import type { Files } from './files.ts'
import { GoogleError, invalid } from './google-error.ts'
import { jsonReply, parseJson, type Reply, readBody } from './wire.ts'

type Visit = { files: Files; request: IncomingMessage; url: URL; name: string }
type Route = readonly [method: string, path: RegExp, answer: (visit: Visit) => Reply | Promise<Reply>]

/** Chunks but the last must be whole multiples of this. */
const GRANULE_BYTES = 256 * 1024

export const FILE_ROUTES: readonly Route[] = [
  ['POST', /^\/upload\/v1(?:beta)?\/files$/, upload],
  ['GET', /^(?:\/download)?\/v1(?:beta)?\/files\/([^/:]+):download$/, download],
  ['GET', /^\/v1(?:beta)?\/files\/([^/:]+)$/, ({ files, name }) => jsonReply(files.describe(name))],
  ['GET', /^\/v1(?:beta)?\/files$/, ({ files }) => jsonReply({ files: files.list() })],
  ['DELETE', /^\/v1(?:beta)?\/files\/([^/:]+)$/, remove],
]

/** Answers a call of the Files API; `undefined` where the path is none of it. */
export function answerFiles(files: Files, request: IncomingMessage, url: URL): Reply | Promise<Reply> | undefined {
  for (const [method, path, answer] of FILE_ROUTES) {
    const match = request.method === method && url.pathname.match(path)
    if (match) return answer({ files, request, url, name: match[1] ?? '' })
  }
}

/** Whether the request continues an upload: then its address is the key. */
export function continuesUpload(url: URL): boolean {
  return url.pathname.startsWith('/upload/') && url.searchParams.has('upload_id')
}

type Step = (visit: Visit, id: string) => Reply | Promise<Reply>

/** What a client may order of an upload, by the header `X-Goog-Upload-Command`. */
const STEPS: Readonly<Record<string, Step>> = {
  start,
  upload: async (visit, id) => {
    await receive(visit, id, false)
    return active(visit.files, id)
  },
  'upload, finalize': async (visit, id) => {
    await receive(visit, id, true)
    return final(visit.files, id)
  },
  finalize: ({ files }, id) => final(files, id),
  query: ({ files }, id) => {
    const done = files.finished(id)
    return done ? jsonReply({ file: done.file }, 200, progress('final', done.sizeBytes)) : active(files, id)
  },
  cancel: ({ files }, id) => {
    files.dropUpload(id)
    return jsonReply({}, 200, { 'x-goog-upload-status': 'cancelled' })
  },
}

function upload(visit: Visit): Reply | Promise<Reply> {
  const command = header(visit, 'x-goog-upload-command').toLowerCase()
  const step = STEPS[command]
  if (!step) throw invalid(`Invalid upload command: ${JSON.stringify(command)}`)
  return step(visit, visit.url.searchParams.get('upload_id') ?? '')
}

async function start(visit: Visit): Promise<Reply> {
  const { files, request, url } = visit
  const body = await readBody(request)
  const { file } = (body.length ? parseJson(body) : {}) as { file?: Record<string, string | undefined> }
  const mimeType = header(visit, 'x-goog-upload-header-content-type') || file?.mimeType
  if (!mimeType) throw invalid('A MIME type is missing.')
  const { name, displayName } = file ?? {}
  const id = files.startUpload({
    mimeType,
    sizeBytes: Number(header(visit, 'x-goog-upload-header-content-length')),
    ...(name && { name }),
    ...(displayName !== undefined && { displayName }),
  })
  const address = `http://${request.headers.host}${url.pathname}?upload_id=${id}&upload_protocol=resumable`
  return jsonReply({}, 200, { ...progress('active', 0), 'x-goog-upload-url': address })
}

async function receive(visit: Visit, id: string, isLast: boolean): Promise<void> {
  const chunk = await readBody(visit.request)
  if (!isLast && chunk.length % GRANULE_BYTES) {
    throw invalid(`A chunk has ${chunk.length} bytes, which is no multiple of ${GRANULE_BYTES}.`)
  }
  visit.files.addChunk(id, Number(header(visit, 'x-goog-upload-offset')), chunk)
}

function active(files: Files, id: string): Reply {
  return jsonReply({}, 200, progress('active', files.receivedBytes(id)))
}

function final(files: Files, id: string): Reply {
  const receivedBytes = files.receivedBytes(id)
  return jsonReply({ file: files.finishUpload(id) }, 200, progress('final', receivedBytes))
}

function progress(status: string, receivedBytes: number): Record<string, string> {
  return {
    'x-goog-upload-status': status,
    'x-goog-upload-size-received': String(receivedBytes),
    'x-goog-upload-chunk-granularity': String(GRANULE_BYTES),
  }
}

function download({ files, name, request }: Visit): Reply {
  const headers = { 'content-type': files.describe(name).mimeType }
  const bytes = files.bytes(name)
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  if (from === 0) return { status: 200, headers, body: bytes }
  if (from >= bytes.length) throw new GoogleError(416, 'The requested range is not satisfiable.')
  const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`
  return { status: 206, headers: { ...headers, 'content-range': range }, body: bytes.subarray(from) }
}

function remove({ files, name }: Visit): Reply {
  files.remove(name)
  return jsonReply({})
}

function header({ request }: Visit, name: string): string {
  return String(request.headers[name] ?? '')
}
