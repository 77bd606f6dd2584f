import { ScanCommand, type ScanCommandInput } from '@aws-sdk/client-dynamodb'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import sharp from 'sharp'
import type { StackOptions } from '../../infra/local/stack.ts'
import type { Notice } from '../../lib/aws/topic.ts'
import { openDarkroom, until } from '../helpers/darkroom.ts'
import { startAwsProxy } from './aws-proxy.ts'

/** Those that a photo or a message runs through; the others' clocks would only start processes. */
const FUNCTIONS = ['upload', 'job']

export type Stormy = Awaited<ReturnType<typeof openStormy>>

/** The local stack whose functions reach AWS through a proxy that misbehaves on request. */
export async function openStormy({ env, ...options }: Omit<StackOptions, 'gemini' | 'log'> = {}) {
  await using starting = new AsyncDisposableStack()
  const proxy = starting.use(await startAwsProxy())
  const darkroom = starting.use(await openDarkroom({ functions: FUNCTIONS, ...options, env: { ...proxy.env, ...env } }))
  proxy.follow(darkroom.stack)
  darkroom.gemini.control.reply({ reply: 'tiny-image' })
  const started = starting.move()

  return {
    ...darkroom,
    proxy,
    /** Puts a picture so small that it costs no time beside the recipes, where it starts nothing. */
    async putInput(Key: string) {
      await darkroom.stack.s3.send(new PutObjectCommand({ Bucket: darkroom.env.RECIPES_BUCKET, Key, Body: await tiny }))
    },
    /** All jobs' rows of the ledger. */
    async rows() {
      const rows: Record<string, string | number>[] = []
      let ExclusiveStartKey: ScanCommandInput['ExclusiveStartKey']
      do {
        const scan = new ScanCommand({ TableName: darkroom.env.LEDGER_TABLE, ExclusiveStartKey })
        const { Items = [], LastEvaluatedKey } = await darkroom.stack.dynamodb.send(scan)
        const plain = Items.map(item =>
          Object.fromEntries(Object.entries(item).map(([name, value]) => [name, value.S ?? Number(value.N)])),
        )
        rows.push(...plain.filter(({ sk }) => sk === 'job'))
        ExclusiveStartKey = LastEvaluatedKey
      } while (ExclusiveStartKey)
      return rows
    },
    callsFor: (prompt: string) => darkroom.gemini.calls.filter(call => call.prompt.includes(prompt)),
    /** A job's result, once the ledger has closed it: after a kill that takes half an hour of the stack's time. */
    async resultOf(id: string) {
      const found = () => darkroom.notices.find(notice => notice.id === id)
      const isClosed = async () => (await darkroom.row(id))?.status === found()?.status
      await until(`${id} is over`, async () => found() !== undefined && (await isClosed()), 90_000)
      return darkroom.closed(found() as Notice)
    },
    /** Kills the process that works on this job, as a machine that goes down would. Fails where none does. */
    killOwner(id: string): void {
      const owner = darkroom.stack.lambda.running().find(({ event }) => JSON.stringify(event).includes(id))
      if (!owner) throw new Error(`no function works on ${id}`)
      darkroom.stack.lambda.kill(owner.requestId)
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

export const tiny = sharp({ create: { width: 64, height: 48, channels: 3, background: '#a85' } })
  .jpeg()
  .toBuffer()
