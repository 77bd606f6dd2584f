import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
// @ts-expect-error dynalite brings no types
import dynalite from 'dynalite'

export type Dynalite = { endpoint: string; close(): Promise<void> }

/** Starts DynamoDB on a free port of the loopback, in memory or with its state in a folder. */
export async function startDynalite(folder: string | undefined): Promise<Dynalite> {
  const server: Server = dynalite({ path: folder, createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async close() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}
