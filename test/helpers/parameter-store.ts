import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** SSM on this machine, with one SecureString in it that can be read and, unless it `isReadOnly`, overwritten. */
export async function startParameterStore(name: string, first: string) {
  const store = { value: first, asked: [] as string[], isReadOnly: false }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const asked = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
      const { Name, WithDecryption } = asked
      store.asked.push(/Credential=([^/]+)/.exec(String(request.headers.authorization))?.[1] ?? '')
      if (request.headers['x-amz-target'] === 'AmazonSSM.PutParameter') {
        const { Type, Overwrite, Value } = asked
        const isTaken = Name === name && Type === 'SecureString' && Overwrite === true && !store.isReadOnly
        if (isTaken) store.value = String(Value)
        response.writeHead(isTaken ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' })
        response.end(JSON.stringify(isTaken ? { Version: 2 } : { __type: 'AccessDeniedException', message: 'not you' }))
        return
      }
      const found = Name === name && WithDecryption === true
      response.writeHead(found ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' })
      response.end(
        JSON.stringify(found ? { Parameter: { Name, Value: store.value } } : { __type: 'ParameterNotFound' }),
      )
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(store, {
    endpoint,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  })
}
