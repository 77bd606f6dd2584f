import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
// @ts-expect-error dynalite brings no types
import dynalite from 'dynalite'
import { accountId, region } from '../template.ts'
import { type AwsCall, recordDynalite } from './call-record.ts'

export type Dynalite = { endpoint: string; close(): Promise<void> }

/** Starts DynamoDB on a free port of the loopback, in memory or with its state in a folder. */
export async function startDynalite(
  folder: string | undefined,
  onCall: (call: AwsCall) => void = () => {},
): Promise<Dynalite> {
  const server: Server = dynalite({ path: folder, createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 })
  recordDynalite(server, table => `arn:aws:dynamodb:${region}:${accountId}:table/${table}`, onCall)
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
