import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An event for a function, with what the function may know about its call. */
export type Invocation = {
  requestId: string
  functionArn: string
  /** Milliseconds since 1970 on the stack's clock. */
  deadlineMs: number
  event: unknown
}

/** What a runtime says through the Runtime API. */
export type RuntimeCalls = {
  /** Asked when the runtime is ready; resolves when there is something to do. */
  next(): Promise<Invocation>
  respond(requestId: string, body: string): void
  fail(requestId: string, body: string): void
  failInit(body: string): void
}

export type RuntimeApi = { address: string; close(): void }

/** Serves the Lambda Runtime API to one execution environment, on a port of its own as in a real one. */
export async function startRuntimeApi(calls: RuntimeCalls): Promise<RuntimeApi> {
  const server = createServer((request, response) => {
    answer(calls, request, response).catch(() => response.destroy())
  })
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    address: `127.0.0.1:${port}`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function answer(calls: RuntimeCalls, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.replace('/2018-06-01/runtime', '')
  if (request.method === 'GET' && path === '/invocation/next') {
    const invocation = await calls.next()
    response.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': invocation.requestId,
      'lambda-runtime-deadline-ms': invocation.deadlineMs,
      'lambda-runtime-invoked-function-arn': invocation.functionArn,
      'lambda-runtime-trace-id': `Root=1-${invocation.requestId.replaceAll('-', '')};Sampled=0`,
    })
    return void response.end(JSON.stringify(invocation.event))
  }
  const body = Buffer.concat(await request.toArray()).toString()
  const [, requestId = '', kind] = /^\/invocation\/([^/]+)\/(response|error)$/.exec(path ?? '') ?? []
  if (path === '/init/error') calls.failInit(body)
  else if (kind === 'response') calls.respond(requestId, body)
  else if (kind === 'error') calls.fail(requestId, body)
  response.writeHead(kind || path === '/init/error' ? 202 : 404).end('{"status":"OK"}')
}
