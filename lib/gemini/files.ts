import { z } from 'zod'
import { EditError } from '../errors.ts'
import { retry } from '../retry.ts'
import type { GeminiOptions } from './client.ts'
import { readBadAnswer } from './faults.ts'
import { readKey } from './key.ts'

/** What to send: `stream` gives the bytes, from the first one each time it is called. */
type Upload = { mimeType: string; sizeBytes: number; stream: () => AsyncIterable<Uint8Array> }

/** A file that lies with Google until `expiresAt`, in epoch milliseconds. */
type GeminiFile = { name: string; uri: string; expiresAt: number }

export type GeminiFiles = ReturnType<typeof createGeminiFiles>

const GOOGLE = 'https://generativelanguage.googleapis.com'
/** Google's own clients send this much; all that is ever held of a file. */
const PIECE_BYTES = 8 * 2 ** 20
/** Half a megabit a second: what is slower has stopped. */
const PIECE_TIMEOUT_MS = 120_000
/** Google keeps files for 48 hours and says so in the reply (Files API, 2026-11). */
const KEPT_MS = 48 * 3_600_000

const Uploaded = z.object({
  file: z.object({ name: z.string(), uri: z.string(), expirationTime: z.string().optional() }),
})

type Place = { offset: number; isLast: boolean; timeLeftMs: () => number }
type Answer = { status: string | null; receivedBytes: number; text: string; headers: Headers }

/**
 * The Files API with our own fetch: the SDK's upload can't be stopped and takes no stream. A piece that got lost is sent
 * again from where Google says that it stands; nothing of the file is held but the piece that is on its way.
 */
export function createGeminiFiles({ apiKey, baseUrl = GOOGLE, fetch: send = fetch, now = Date.now }: GeminiOptions) {
  async function call(url: string, init: RequestInit): Promise<Answer> {
    const signal = AbortSignal.timeout(PIECE_TIMEOUT_MS)
    const { response, text } = await send(url, { ...init, signal })
      .then(async response => ({ response, text: await response.text() }))
      .catch((cause: unknown) => {
        throw trouble(`it cannot be reached: ${String(cause)}`, cause)
      })
    const { ok, status, headers } = response
    if (!ok) {
      const fault = readBadAnswer({ status, retryAfter: headers.get('retry-after'), body: text }, now())
      if (fault.code === 'ERR_GEMINI_KEY') apiKey.forget()
      throw fault
    }
    const receivedBytes = Number(headers.get('x-goog-upload-size-received') ?? Number.NaN)
    return { status: headers.get('x-goog-upload-status'), receivedBytes, text, headers }
  }

  async function start({ mimeType, sizeBytes }: Upload): Promise<string> {
    const { headers } = await call(`${baseUrl}/upload/v1beta/files`, {
      method: 'POST',
      headers: {
        'x-goog-api-key': await readKey(apiKey),
        'content-type': 'application/json',
        'x-goog-upload-protocol': 'resumable',
        'x-goog-upload-command': 'start',
        'x-goog-upload-header-content-length': String(sizeBytes),
        'x-goog-upload-header-content-type': mimeType,
      },
      body: JSON.stringify({ file: { mimeType } }),
    })
    const url = headers.get('x-goog-upload-url')
    if (url) return url
    throw trouble('it names no address to upload to')
  }

  /** Sends one piece, and after trouble only what Google has not got of it. Resolves to the last answer. */
  function sendPiece(url: string, piece: Uint8Array, at: Place): Promise<Answer> {
    const command = at.isLast ? 'upload, finalize' : 'upload'
    let inDoubt = false
    const attempt = async () => {
      const known = inDoubt ? await order(url, 'query') : undefined
      if (known?.status === 'final') return known
      inDoubt = true
      const skip = known ? known.receivedBytes - at.offset : 0
      if (!(skip >= 0 && skip <= piece.length)) throw trouble(`it has ${known?.receivedBytes} bytes, not ${at.offset}`)
      if (known && skip === piece.length && !at.isLast) return known
      return order(url, command, at.offset + skip, piece.subarray(skip))
    }
    return retry(() => attempt().catch(toTrouble), { timeLeftMs: at.timeLeftMs })
  }

  function order(url: string, command: string, offset?: number, body?: Uint8Array): Promise<Answer> {
    return call(url, {
      method: 'POST',
      headers: {
        'x-goog-upload-command': command,
        ...(offset !== undefined && { 'x-goog-upload-offset': String(offset) }),
      },
      // The bytes are a view of a buffer of our own, never of shared memory.
      body: body as Uint8Array<ArrayBuffer> | undefined,
    })
  }

  return {
    /** Sends a file in the time that is left; throws an `EditError` for what goes wrong on the way, and what `stream` throws as it is. */
    async upload(upload: Upload, timeLeftMs: () => number): Promise<GeminiFile> {
      const url = await retry(() => start(upload), { timeLeftMs })
      let offset = 0
      let answer: Answer | undefined
      for await (const piece of piecesOf(upload.stream(), PIECE_BYTES)) {
        if (timeLeftMs() <= 0)
          throw new EditError('ERR_TIME_SHORT', `no time is left to send ${upload.sizeBytes} bytes`)
        const isLast = offset + piece.length >= upload.sizeBytes
        answer = await sendPiece(url, piece, { offset, isLast, timeLeftMs })
        offset += piece.length
      }
      if (answer?.status === 'final') return readUploaded(answer.text, now())
      throw trouble(`it did not end an upload of ${upload.sizeBytes} bytes after ${offset}`)
    },

    /** Deletes a file; one that is gone already is no fault. */
    async remove(name: string): Promise<void> {
      const headers = { 'x-goog-api-key': await readKey(apiKey) }
      await call(`${baseUrl}/v1beta/${name}`, { method: 'DELETE', headers }).catch((error: unknown) => {
        if (!(error instanceof EditError && GONE.includes(error.code))) throw error
      })
    },
  }
}

/** A 403 that is about the file, and the 404 that older recordings show. */
const GONE: readonly string[] = ['ERR_GEMINI_FILE_LOST', 'ERR_MODEL_GONE']
/** What the middle of an upload may be refused with: an address that is gone, or bytes that came twice. The job is not at fault. */
const OURS: readonly string[] = [...GONE, 'ERR_GEMINI_REQUEST']

function trouble(message: string, cause?: unknown): EditError {
  return new EditError('ERR_GEMINI_UNAVAILABLE', `Gemini's Files API is in trouble: ${message}`, { cause })
}

function toTrouble(error: unknown): never {
  throw error instanceof EditError && OURS.includes(error.code) ? trouble(error.message, error) : error
}

function readUploaded(text: string, now: number): GeminiFile {
  try {
    const { file } = Uploaded.parse(JSON.parse(text))
    const expiresAt = Date.parse(file.expirationTime ?? '') || now + KEPT_MS
    return { name: file.name, uri: file.uri, expiresAt }
  } catch (cause) {
    throw trouble('it ended an upload without naming the file', cause)
  }
}

/** The same bytes in pieces of `pieceBytes`, the last one shorter. A piece is good until the next one is asked for. */
async function* piecesOf(stream: AsyncIterable<Uint8Array>, pieceBytes: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.allocUnsafe(pieceBytes)
  let filled = 0
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(pieceBytes - filled, chunk.length - at)
      piece.set(chunk.subarray(at, at + taken), filled)
      filled += taken
      at += taken
      if (filled < pieceBytes) continue
      yield piece
      filled = 0
    }
  }
  if (filled > 0) yield piece.subarray(0, filled)
}
