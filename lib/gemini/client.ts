import { type GenerateContentParameters, GoogleGenAI } from '@google/genai/web'
import { EditError } from '../errors.ts'
import { readBadAnswer } from './faults.ts'
import { type ApiKey, readKey } from './key.ts'

export type GeminiOptions = {
  apiKey: ApiKey
  /** @default Google's */
  baseUrl?: string
  /** Tests give their own. @default fetch */
  fetch?: typeof fetch
  now?: () => number
}

export type Gemini = ReturnType<typeof createGemini>

/**
 * Gemini through Google's SDK: one call, no retries (the SDK's ignore what the server asks for), a time-out always. What
 * comes back is the reply as it came, because the SDK drops what it doesn't know and a reply is kept as it was paid for.
 */
export function createGemini({ apiKey, baseUrl, fetch: send = fetch, now = Date.now }: GeminiOptions) {
  async function ask(key: string, request: GenerateContentParameters, timeoutMs: number): Promise<RawReply> {
    const abort = new AbortController()
    const timer = setTimeout(() => abort.abort(), timeoutMs)
    const seen: Seen = {}
    // A client a call: the SDK hides headers and raw bodies, and only its fetch sees them. It costs microseconds.
    const client = new GoogleGenAI({
      apiKey: key,
      apiVersion: 'v1beta',
      httpOptions: { baseUrl, fetch: spyOn(send, seen) },
    })
    try {
      await client.models.generateContent({
        ...request,
        config: { ...request.config, abortSignal: abort.signal, automaticContinuation: false },
      })
    } catch (cause) {
      throw toFault(cause, seen, abort.signal.aborted ? timeoutMs : undefined, now())
    } finally {
      clearTimeout(timer)
    }
    if (!seen.reply) throw new Error('the SDK returned without asking Gemini')
    return seen.reply
  }

  return {
    /** Throws now what a missing or unreadable key would throw in a call that was counted already. */
    async ready(): Promise<void> {
      await readKey(apiKey)
    },

    /** The reply, as text to keep and as JSON to read. Throws an `EditError` for everything that is no reply. */
    async generate(request: GenerateContentParameters, { timeoutMs }: { timeoutMs: number }): Promise<RawReply> {
      const key = await readKey(apiKey)
      try {
        return await ask(key, request, timeoutMs)
      } catch (fault) {
        if (!(fault instanceof EditError && fault.code === 'ERR_GEMINI_KEY')) throw fault
        apiKey.forget()
        // A process that slept through a rotation has the old key: its fault is nobody's, and costs nothing.
        const fresh = await readKey(apiKey)
        if (fresh === key) throw fault
        return await ask(fresh, request, timeoutMs)
      }
    },
  }
}

/** One reply as it came. */
export type RawReply = { text: string; json: unknown }

type Seen = { reply?: RawReply; bad?: { status: number; retryAfter: string | null; body: string } }

/** A fetch that notes what came before the SDK sees it. Throws for a body that is not JSON, which the SDK would report as its own bug. */
function spyOn(send: typeof fetch, seen: Seen): typeof fetch {
  return async (...call) => {
    const response = await send(...call)
    const body = await readBody(response)
    if (!response.ok) {
      seen.bad = { status: response.status, retryAfter: response.headers.get('retry-after'), body }
    } else {
      seen.reply = { text: body, json: parseObject(body) }
    }
    return new Response(body, {
      status: response.status,
      headers: { 'content-type': response.headers.get('content-type') ?? '' },
    })
  }
}

async function readBody(response: Response): Promise<string> {
  try {
    return await response.text()
  } catch (cause) {
    throw new EditError('ERR_GEMINI_BROKE_OFF', `Gemini's answer (${response.status}) broke off: ${reasonOf(cause)}`, {
      cause,
    })
  }
}

function parseObject(body: string): object {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    json = undefined
  }
  if (typeof json === 'object' && json !== null) return json
  // Google says "200" to what it has worked on; a page of HTML is somebody else's, on the way there.
  const code = /^\s*</.test(body) ? 'ERR_GEMINI_UNAVAILABLE' : 'ERR_GEMINI_BROKE_OFF'
  throw new EditError(code, `Gemini answers with ${body.length} characters that are no JSON object`)
}

function toFault(cause: unknown, seen: Seen, timedOutAfterMs: number | undefined, now: number): unknown {
  if (timedOutAfterMs !== undefined) {
    return new EditError('ERR_GEMINI_TIMEOUT', `Gemini did not answer within ${Math.round(timedOutAfterMs / 1000)} s`, {
      cause,
    })
  }
  if (seen.bad) return readBadAnswer(seen.bad, now)
  const fault = findEditError(cause)
  if (fault) return fault
  if (!isNetworkError(cause)) return cause
  const reason = reasonOf(cause)
  return NEVER_SENT.test(reason)
    ? new EditError('ERR_GEMINI_UNAVAILABLE', `Gemini cannot be reached: ${reason}`, { cause })
    : new EditError('ERR_GEMINI_BROKE_OFF', `the connection to Gemini broke off: ${reason}`, { cause })
}

/**
 * A connection that never stood carried nothing. Every other that ends may have carried the request: large images take two
 * minutes without a byte before the end, and Google may bill what it worked on.
 */
const NEVER_SENT = /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_\w+)$/

/** The SDK wraps what its fetch throws, so the error that tells is somewhere down the causes. */
function findEditError(error: unknown): EditError | undefined {
  if (error instanceof EditError) return error
  return error instanceof Error && error.cause ? findEditError(error.cause) : undefined
}

/** fetch reports every network failure as a TypeError with a cause; one without is a bug of ours or the SDK's. */
function isNetworkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (
    /fetch failed|terminated|socket|network/i.test(error.message) ||
    (error.cause !== undefined && isNetworkError(error.cause))
  )
}

function reasonOf(error: unknown): string {
  const chain: string[] = []
  for (let at = error; at instanceof Error; at = at.cause) chain.push((at as { code?: string }).code ?? at.message)
  return chain.at(-1) ?? 'unknown'
}
