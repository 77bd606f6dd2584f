import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { flushCompileCache } from 'node:module'

/**
 * Stands in for the native HTTP client of AWS's runtime client, which has these four functions. Answers are posted in
 * the order they are given, and the next invocation is asked for when the last answer has arrived.
 */

const base = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
let posted: Promise<unknown> = Promise.resolve()
let isInitialised = false

export function initializeClient(): void {}

export async function next(): Promise<{ bodyJson: string; headers: IncomingHttpHeaders }> {
  // These processes are killed, never ended, and Node would write its cache only at an end.
  if (!isInitialised) flushCompileCache()
  isInitialised = true
  await posted
  const { body, headers } = await call('GET', '/next')
  return { bodyJson: body, headers }
}

export function done(requestId: string, body: string): void {
  posted = call('POST', `/${requestId}/response`, body)
}

export function error(requestId: string, body: string): void {
  posted = call('POST', `/${requestId}/error`, body)
}

function call(method: string, path: string, body = ''): Promise<{ body: string; headers: IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${base}${path}`, { method, agent }, async incoming => {
      const chunks = await incoming.toArray()
      resolve({ body: Buffer.concat(chunks).toString(), headers: incoming.headers })
    })
    outgoing.on('error', reject).end(body)
  })
}
