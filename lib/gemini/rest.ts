import { EditError } from '../errors.ts'
import { readBadAnswer } from './faults.ts'
import { type ApiKey, readKey } from './key.ts'

export type RestOptions = {
  apiKey: ApiKey
  /** @default Google's */
  baseUrl?: string
  /** Tests give their own. @default fetch */
  fetch?: typeof fetch
  now?: () => number
}

type Ask = {
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array<ArrayBuffer>
  timeoutMs?: number
}

const GOOGLE = 'https://generativelanguage.googleapis.com'
/** Calls that answer with a page of JSON at most. */
const ANSWER_WITHIN_MS = 60_000

/**
 * Gemini's batches, files and webhooks without Google's SDK, which drops a batch's error and counts, repeats the creation
 * of a webhook by itself, takes no stream to upload, and dies with a download whose connection drops.
 */
export function createRest({ apiKey, baseUrl = GOOGLE, fetch: send = fetch, now = Date.now }: RestOptions) {
  /** The answer with its body unread. Throws an `EditError` for every other status than 2xx. */
  async function open(path: string, { timeoutMs = ANSWER_WITHIN_MS, headers, ...ask }: Ask = {}): Promise<Response> {
    const url = path.startsWith('http') ? path : `${baseUrl.replace(/\/$/, '')}${path}`
    const init = { ...ask, headers: { 'x-goog-api-key': await readKey(apiKey), ...headers } }
    const response = await reach(() => send(url, { ...init, signal: AbortSignal.timeout(timeoutMs) }))
    if (response.ok) return response
    const body = await reach(() => response.text())
    const fault = readBadAnswer(
      { status: response.status, retryAfter: response.headers.get('retry-after'), body },
      now(),
    )
    if (fault.code === 'ERR_GEMINI_KEY') apiKey.forget()
    throw fault
  }

  return {
    open,
    /** The answer's JSON object; `body` is sent as JSON. To a question an empty answer is none: it would read as "nothing there". */
    async json(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
      const sent =
        body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
      const response = await open(path, { method, ...sent })
      const text = await reach(() => response.text())
      return parseObject(method === 'GET' ? text : text || '{}')
    },
  }
}

async function reach<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    const timedOut = cause instanceof Error && cause.name === 'TimeoutError'
    if (timedOut) throw new EditError('ERR_GEMINI_TIMEOUT', 'Gemini did not answer in time', { cause })
    throw new EditError('ERR_GEMINI_UNAVAILABLE', `Gemini cannot be reached: ${reasonOf(cause)}`, { cause })
  }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text)
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>
  } catch {
    // Said below: what stands between may answer with a page of HTML.
  }
  throw new EditError('ERR_GEMINI_UNAVAILABLE', `Gemini answers with ${text.length} characters that are no JSON object`)
}

/** The innermost reason of an error: fetch wraps what happened. */
export function reasonOf(error: unknown): string {
  let at = error
  while (at instanceof Error && at.cause instanceof Error) at = at.cause
  return at instanceof Error ? ((at as { code?: string }).code ?? at.message) : String(at)
}
