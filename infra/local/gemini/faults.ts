import type { ServerResponse } from 'node:http'
import { type ErrorDetail, GoogleError, invalid, rpc } from './google-error.ts'
import { wrongKey } from './key.ts'
import { noSuchModel } from './serving.ts'
import { errorReply, type Reply } from './wire.ts'

/** Where a fault strikes: the call, and what it would be answered without the fault. */
export type Strike = {
  model: string
  response: ServerResponse
  /** The wait that a 429 names. */
  delayMs: number
  answer: () => Promise<Reply>
}
/** What goes out instead, or `gone` where nothing can any more. */
export type Fault = (strike: Strike) => Reply | 'gone' | Promise<Reply | 'gone'>

const PER_MINUTE = { quotaId: 'GenerateRequestsPerMinutePerProjectPerModel', quotaValue: '10' }
const PER_DAY = { quotaId: 'GenerateRequestsPerDayPerProjectPerModel', quotaValue: '250' }
const NONE = { quotaId: 'GenerateRequestsPerDayPerProjectPerModel-FreeTier', quotaValue: '0' }
const LEAKED = 'Your API key was reported as leaked. Please use another API key.'
const NO_BILLING =
  'Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.'
const TROUBLE =
  'An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting'
const NO_CREDENTIALS =
  'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.'

const refuse = (error: GoogleError) => () => errorReply(error)

/** Every misbehaviour of the service that was ever recorded, by name. */
export const FAULTS = {
  rate: ({ delayMs, model }) => errorReply(overQuota({ model, delayMs, ...PER_MINUTE })),
  'rate-text': ({ delayMs }) => errorReply(new GoogleError(429, spent('10', delayMs))),
  'rate-header': ({ delayMs }) =>
    errorReply(new GoogleError(429, spent('10'), { headers: { 'retry-after': String(Math.ceil(delayMs / 1000)) } })),
  'rate-bare': refuse(new GoogleError(429, 'Resource has been exhausted (e.g. check quota).')),
  // The real one names a short wait beside a day's quota, which leads astray.
  'quota-day': ({ delayMs, model }) => errorReply(overQuota({ model, delayMs, ...PER_DAY })),
  'quota-zero': ({ delayMs, model }) => errorReply(overQuota({ model, delayMs, ...NONE })),
  'key-invalid': refuse(wrongKey()),
  unauthorized: refuse(new GoogleError(401, NO_CREDENTIALS)),
  forbidden: refuse(new GoogleError(403, LEAKED)),
  billing: refuse(new GoogleError(400, NO_BILLING, { status: 'FAILED_PRECONDITION' })),
  invalid: refuse(invalid('Request contains an invalid argument.')),
  'not-found': ({ model }) => errorReply(noSuchModel(model)),
  'timeout-408': refuse(new GoogleError(408, 'The request timed out. Please try again.')),
  internal: refuse(new GoogleError(500, TROUBLE)),
  'bad-gateway': () => html(502, 'Error 502 (Server Error)!!1'),
  unavailable: refuse(new GoogleError(503, 'The model is overloaded. Please try again later.')),
  'gateway-timeout': refuse(new GoogleError(504, 'Deadline expired before operation could complete.')),
  cut: cutInTheMiddle,
  reset: ({ response }) => {
    response.socket?.resetAndDestroy()
    return 'gone'
  },
  'not-json': () => html(200, 'Sign in'),
  empty: () => ({ status: 200, headers: { 'content-type': 'application/json; charset=UTF-8' }, body: Buffer.alloc(0) }),
  hang: untilClientGoes,
  slow: ({ answer }) => answer(),
} as const satisfies Record<string, Fault>

export type FaultName = keyof typeof FAULTS

/** The 429 of a quota that is spent: the wait stands in the text, and in whole seconds in RetryInfo. */
export function overQuota(quota: { model: string; delayMs: number; quotaId: string; quotaValue: string }): GoogleError {
  const { model, delayMs, quotaId, quotaValue } = quota
  const quotaMetric = 'generativelanguage.googleapis.com/generate_content_requests'
  const violation = { quotaMetric, quotaId, quotaDimensions: { location: 'global', model }, quotaValue }
  const details: ErrorDetail[] = [
    rpc('Help', { links: [{ description: 'Learn more about Gemini API quotas', url: QUOTAS }] }),
    rpc('QuotaFailure', { violations: [violation] }),
    rpc('RetryInfo', { retryDelay: delayMs < 1000 ? `${delayMs / 1000}s` : `${Math.floor(delayMs / 1000)}s` }),
  ]
  return new GoogleError(429, spent(quotaValue, delayMs), { details })
}

const QUOTAS = 'https://ai.google.dev/gemini-api/docs/rate-limits'

function spent(limit: string, delayMs?: number): string {
  const retry = delayMs === undefined ? '' : `\nPlease retry in ${delayMs / 1000}s.`
  return `You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: ${QUOTAS}.\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_requests, limit: ${limit}${retry}`
}

function html(status: number, title: string): Reply {
  const body = `<!DOCTYPE html><html lang=en><meta charset=utf-8><title>${title}</title><p>${title}</p></html>`
  return { status, headers: { 'content-type': 'text/html; charset=UTF-8' }, body: Buffer.from(body) }
}

async function cutInTheMiddle({ response, answer }: Strike): Promise<'gone'> {
  const { status, headers, body } = await answer()
  response.writeHead(status, { ...headers, 'content-length': body.length })
  response.write(body.subarray(0, Math.ceil(body.length / 2)), () => response.destroy())
  return 'gone'
}

async function untilClientGoes({ response }: Strike): Promise<'gone'> {
  if (!response.destroyed) await new Promise(resolve => response.once('close', resolve))
  return 'gone'
}
