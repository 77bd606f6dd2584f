/** Google's canonical status names by HTTP code (google.rpc.Code). */
const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  408: 'DEADLINE_EXCEEDED',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

export type ErrorDetail = { '@type': string; [field: string]: unknown }
type ErrorOptions = { status?: string; details?: ErrorDetail[]; headers?: Record<string, string> }

/** A refusal as Google words it; `body` is what goes over the wire. */
export class GoogleError extends Error {
  readonly code: number
  readonly headers: Record<string, string>
  readonly body: { error: { code: number; message: string; status: string; details?: ErrorDetail[] } }

  constructor(code: number, message: string, { status, details, headers = {} }: ErrorOptions = {}) {
    super(message)
    this.code = code
    this.headers = headers
    const known = { code, message, status: status ?? STATUSES[code] ?? 'UNKNOWN' }
    this.body = { error: details ? { ...known, details } : known }
  }
}

/** A 400 INVALID_ARGUMENT with this message. */
export function invalid(message: string, details?: ErrorDetail[]): GoogleError {
  return new GoogleError(400, message, details ? { details } : {})
}

/** A detail of google.rpc, by its short name. */
export function rpc(type: string, fields: Record<string, unknown>): ErrorDetail {
  return { '@type': `type.googleapis.com/google.rpc.${type}`, ...fields }
}

/** Google's answer to a path that it doesn't serve. */
export function noSuchPath(): GoogleError {
  return new GoogleError(404, 'Requested entity was not found.')
}
