import { z } from 'zod'
import { type Code, EditError } from '../errors.ts'
import { untilMidnightPacific } from '../pacific-day.ts'

/** An HTTP answer that is no reply: what Google, or something between, said instead. */
type BadAnswer = { status: number; retryAfter: string | null; body: string }

const text = z.string().optional().catch(undefined)

/** The error's JSON, read leniently: what stands between may answer in a shape of its own, and the status still tells. */
const GoogleError = z
  .object({
    status: text,
    message: text,
    details: z
      .array(
        z
          .object({
            reason: text,
            retryDelay: text,
            violations: z.array(z.object({ quotaId: text, quotaValue: text }).catch({})).catch([]),
          })
          .catch({ violations: [] }),
      )
      .catch([]),
  })
  .catch({ details: [] })
type GoogleError = z.infer<typeof GoogleError>

type Row = { matches: (status: number, error: GoogleError) => boolean; code: Code }

/** First row that matches decides. Statuses and reasons as documented on Google's troubleshooting page, 2026-11. */
const ROWS: readonly Row[] = [
  { code: 'ERR_GEMINI_KEY', matches: (_, e) => e.details.some(d => d.reason === 'API_KEY_INVALID') },
  // Google's words for a file that expired, was deleted or is another project's; the key is as good as before.
  {
    code: 'ERR_GEMINI_FILE_LOST',
    matches: (status, e) => status === 403 && /permission to access the file\b/i.test(e.message ?? ''),
  },
  { code: 'ERR_GEMINI_KEY', matches: status => status === 401 || status === 403 },
  { code: 'ERR_GEMINI_ACCOUNT', matches: (status, e) => status === 400 && e.status === 'FAILED_PRECONDITION' },
  { code: 'ERR_MODEL_GONE', matches: (status, e) => status === 404 && isGoogles(e) },
  {
    code: 'ERR_GEMINI_QUOTA_NONE',
    matches: (status, e) => status === 429 && (violations(e).some(v => v.quotaValue === '0') || isNeverGranted(e)),
  },
  {
    code: 'ERR_GEMINI_QUOTA_DAY',
    matches: (status, e) => status === 429 && violations(e).some(v => /PerDay/.test(v.quotaId ?? '')),
  },
  { code: 'ERR_GEMINI_RATE', matches: status => status === 429 },
  { code: 'ERR_GEMINI_UNAVAILABLE', matches: status => status === 408 || status >= 500 },
  { code: 'ERR_GEMINI_REQUEST', matches: (status, e) => status === 413 || (status >= 400 && isGoogles(e)) },
]

/** The error that an HTTP answer stands for, with the wait that Google asks for. */
export function readBadAnswer({ status, retryAfter, body }: BadAnswer, now: number): EditError {
  const error = parseError(body)
  const code = ROWS.find(row => row.matches(status, error))?.code ?? 'ERR_GEMINI_UNAVAILABLE'
  const message = `Gemini answers ${status}${error.status ? ` ${error.status}` : ''}: ${shorten(error.message) ?? 'no message'}`
  const retryAfterMs = code === 'ERR_GEMINI_QUOTA_DAY' ? untilMidnightPacific(now) : readDelay(error, retryAfter, now)
  return new EditError(code, message, { retryAfterMs })
}

function violations(error: GoogleError) {
  return error.details.flatMap(detail => detail.violations)
}

/** A quota of 0 is left out of the details as JSON leaves zeros out; then only the message has it (public reports, 2025–2026). */
function isNeverGranted({ message = '' }: GoogleError): boolean {
  return /\blimit: 0(?!\.?\d)/.test(message)
}

/** A page of a proxy's, or of a wrong address, says nothing about the job. */
function isGoogles(error: GoogleError): boolean {
  return error.status !== undefined || error.message !== undefined
}

function parseError(body: string): GoogleError {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    json = undefined // a proxy's HTML: the status says all there is
  }
  return GoogleError.parse(((Array.isArray(json) ? json[0] : json) as { error?: unknown } | null | undefined)?.error)
}

/** Google's messages may quote the request: enough to see what is wrong is kept, not the whole of somebody's prompt. */
function shorten(message: string | undefined): string | undefined {
  return message && message.length > 500 ? `${message.slice(0, 500)}…` : message
}

const RETRY_IN_TEXT = /retry in ([\d.]+)(ms|s|m|h)?/i
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** `RetryInfo`, the message's own "Please retry in 7.2s" (finer by a second) or the header, whichever asks for the longest. No wait at all is as if nobody said. */
function readDelay(error: GoogleError, retryAfter: string | null, now: number): number | undefined {
  const info = error.details.find(detail => detail.retryDelay !== undefined)?.retryDelay
  const inText = RETRY_IN_TEXT.exec(error.message ?? '')
  const delays = [
    info ? Number.parseFloat(info) * 1000 : undefined,
    inText ? Number.parseFloat(inText[1] ?? '') * UNIT_MS[(inText[2] ?? 's') as keyof typeof UNIT_MS] : undefined,
    retryAfter ? readRetryAfter(retryAfter, now) : undefined,
  ].filter((delay): delay is number => delay !== undefined && Number.isFinite(delay) && delay > 0)
  return delays.length > 0 ? Math.max(...delays) : undefined
}

/** Seconds or an HTTP date (RFC 9110). */
function readRetryAfter(value: string, now: number): number {
  return /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
}
