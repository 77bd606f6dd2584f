import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

/** Passes bytes on to a server of this machine, and cuts the first connection that brings `cutAfterBytes` of them. */
export async function startCuttingProxy(target: string, cutAfterBytes: number) {
  const proxy = { cuts: 0, baseUrl: '' }
  const server = createServer(client => {
    const upstream = connect(Number(new URL(target).port), '127.0.0.1')
    let broughtBytes = 0
    client.on('data', chunk => {
      broughtBytes += chunk.length
      if (proxy.cuts === 0 && broughtBytes >= cutAfterBytes) {
        proxy.cuts += 1
        client.destroy()
        upstream.destroy()
      } else upstream.write(chunk)
    })
    upstream.pipe(client)
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy())
    client.on('close', () => upstream.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(proxy, { [Symbol.dispose]: () => server.close() })
}
