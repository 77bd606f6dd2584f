import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { LambdaHost } from './lambda/host.ts'
import type { Template } from './template.ts'

export type FunctionUrl = { name: string; url: string; close(): Promise<void> }

/** Starts an address for each function that has one and runs. */
export function startFunctionUrls(
  template: Template,
  running: readonly { name: string }[],
  lambda: LambdaHost,
): Promise<FunctionUrl[]> {
  const wanted = template.functions.filter(({ name, hasUrl }) => hasUrl && running.some(other => other.name === name))
  return Promise.all(wanted.map(({ name }) => startFunctionUrl(name, lambda)))
}

/** Serves a function at an address of its own, as Lambda's function URLs do: any request becomes an event, its answer the response. */
async function startFunctionUrl(name: string, lambda: LambdaHost): Promise<FunctionUrl> {
  const server = createServer((request, response) => {
    answer(name, lambda, request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    name,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

async function answer(
  functionName: string,
  lambda: LambdaHost,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = Buffer.concat(await request.toArray())
  const [rawPath = '/', rawQueryString = ''] = (request.url ?? '/').split('?')
  const outcome = await lambda.invoke(functionName, {
    version: '2.0',
    rawPath,
    rawQueryString,
    headers: request.headers,
    requestContext: { http: { method: request.method, path: rawPath, sourceIp: '127.0.0.1' } },
    // Lambda sends what is not declared as text in base64, and JSON either way: the hard way is the one to test.
    body: body.toString('base64'),
    isBase64Encoded: true,
  })
  const { statusCode = 200 } = (outcome.ok ? (outcome.payload ?? {}) : { statusCode: 502 }) as { statusCode?: number }
  response.writeHead(statusCode).end()
}
