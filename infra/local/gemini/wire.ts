import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { GoogleError, invalid } from './google-error.ts'

/** What goes back to the client. */
export type Reply = { status: number; headers: Record<string, string>; body: Buffer }

/** Google's limit of a request, base64 included. */
export const REQUEST_LIMIT_BYTES = 100 * 2 ** 20

const zip = promisify(gzip)

export function jsonReply(body: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  const json = { 'content-type': 'application/json; charset=UTF-8', ...headers }
  return { status, headers: json, body: Buffer.from(JSON.stringify(body)) }
}

/** A refusal as a reply; what is no refusal is a fault of the stand-in itself and says so. */
export function errorReply(error: unknown): Reply {
  if (error instanceof GoogleError) return jsonReply(error.body, error.code, error.headers)
  const message = `the stand-in failed: ${error instanceof Error ? error.stack : error}`
  return jsonReply({ error: { code: 500, message, status: 'INTERNAL' } }, 500)
}

/** Zips a reply of JSON where the client takes it zipped, as Google does. */
export async function zipFor(request: IncomingMessage, reply: Reply): Promise<Reply> {
  const takesZip = String(request.headers['accept-encoding'] ?? '').includes('gzip')
  if (!takesZip || !reply.headers['content-type']?.startsWith('application/json')) return reply
  // Pictures in base64 don't shrink beyond their quarter of waste, however hard one presses.
  const body = await zip(reply.body, { level: 1, strategy: constants.Z_HUFFMAN_ONLY })
  return {
    ...reply,
    headers: { ...reply.headers, 'content-encoding': 'gzip', vary: 'Origin, X-Origin, Referer' },
    body,
  }
}

/** Sends a reply; resolves to whether all of it went out. */
export function send(response: ServerResponse, { status, headers, body }: Reply): Promise<boolean> {
  return new Promise(resolve => {
    response.once('finish', () => resolve(true)).once('close', () => resolve(response.writableFinished))
    if (response.destroyed) return resolve(false)
    response.writeHead(status, { ...headers, 'content-length': body.length }).end(body)
  })
}

/** The whole body; over the limit it is read to its end, as the client would else not hear the answer, and refused. */
export async function readBody(request: IncomingMessage, limitBytes = REQUEST_LIMIT_BYTES): Promise<Buffer> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes <= limitBytes) chunks.push(chunk)
  }
  if (sizeBytes > limitBytes) throw invalid(`Request payload size exceeds the limit: ${limitBytes} bytes.`)
  return Buffer.concat(chunks)
}

/** A body as JSON. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw invalid(`Invalid JSON payload received. ${cause instanceof Error ? cause.message : cause}`)
  }
}
