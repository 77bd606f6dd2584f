import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** SSM's GetParameter on this machine, with one SecureString in it. */
export async function startParameterStore(name: string, first: string) {
  const store = { value: first, asked: [] as string[] }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const { Name, WithDecryption } = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
      store.asked.push(/Credential=([^/]+)/.exec(String(request.headers.authorization))?.[1] ?? '')
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
