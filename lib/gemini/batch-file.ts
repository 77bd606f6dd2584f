import { type GenerateContentParameters, GoogleGenAI } from '@google/genai/web'
import { z } from 'zod'
import { EditError } from '../errors.ts'
import { readBadAnswer } from './faults.ts'

/** A request as a line of a batch's file, byte for byte what the SDK would have sent for a call of its own. */
export async function buildLine(key: string, request: GenerateContentParameters): Promise<Buffer> {
  let body = ''
  const listen: typeof fetch = async (_, init) => {
    body = String(init?.body)
    return Response.json({})
  }
  const client = new GoogleGenAI({ apiKey: 'unused', apiVersion: 'v1beta', httpOptions: { fetch: listen } })
  await client.models.generateContent({ ...request, config: { ...request.config, automaticContinuation: false } })
  if (!body.startsWith('{')) throw new Error('the SDK sent no request to listen to')
  return Buffer.from(`{"key":${JSON.stringify(key)},"request":${body}}\n`)
}

/** What came for one job: Google's reply as JSON text, or an error. */
export type Row = { key: string } & ({ reply: string; error?: undefined } | { reply?: undefined; error: EditError })

const WireRow = z.object({
  key: z.string(),
  response: z.record(z.string(), z.unknown()).optional().catch(undefined),
  error: z
    .object({ code: z.number().optional().catch(undefined), message: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
})

/** A line of a batch's result file; `undefined` for garbage. A row with neither reply nor error is as one that failed. */
export function readRow(line: string, now: number): Row | undefined {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return undefined
  }
  const row = WireRow.safeParse(json)
  if (!row.success) return undefined
  const { key, response, error } = row.data
  if (response) return { key, reply: JSON.stringify(response) }
  return { key, error: readRowError(error?.code ?? 13, error?.message ?? 'neither a response nor an error', now) }
}

/** Codes of google.rpc as the HTTP statuses that stand for them; rows have the one or the other. */
const HTTP_STATUS: Readonly<Record<number, number>> = {
  1: 503,
  3: 400,
  4: 504,
  5: 404,
  7: 403,
  8: 429,
  9: 400,
  10: 503,
  11: 400,
  12: 400,
  13: 500,
  14: 503,
  16: 401,
}

function readRowError(code: number, message: string, now: number): EditError {
  const status = HTTP_STATUS[code] ?? (code >= 400 ? code : 500)
  const reason = code === 9 ? 'FAILED_PRECONDITION' : undefined
  const body = JSON.stringify({ error: { code: status, message, status: reason } })
  const { code: ours, message: said, retryAfterMs } = readBadAnswer({ status, retryAfter: null, body }, now)
  return new EditError(ours, `in a batch: ${said}`, { retryAfterMs })
}
