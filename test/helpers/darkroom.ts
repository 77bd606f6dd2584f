import { setTimeout as sleep } from 'node:timers/promises'
import { GetItemCommand } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import { expect, inject } from 'vitest'
import { type DarkroomOptions, startDarkroom } from '../../infra/local/darkroom.ts'
import type { Gemini } from '../../infra/local/gemini/server.ts'
import { followResults, readResult } from '../../infra/local/results.ts'
import type { Notice } from '../../lib/aws/topic.ts'
import type { Result } from '../../lib/result.ts'
import { readRoles, toText } from './roles.ts'

export type Bench = Awaited<ReturnType<typeof openDarkroom>>

/** The day of every flow, and its noon in California: no run meets a midnight by chance, or a model's last day. */
export const TODAY = '2026-11-21'
const NOON = Date.parse(`${TODAY}T20:00:00Z`)

/**
 * The whole local stack with the stand-in, and what a test wants to see of it. The functions are those that are shipped,
 * and at the end none may have called AWS beyond its role. Lines of their logs are in `lines`.
 */
export async function openDarkroom(options: Omit<DarkroomOptions, 'apiKey' | 'log'> = {}) {
  const lines: string[] = []
  const roles = readRoles()
  const forbidden = new Set<string>()
  const darkroom = await startDarkroom({
    startsAt: NOON,
    distFolder: shippedBundles(),
    ...options,
    onAwsCall(call) {
      if (roles.get(call.accessKeyId)?.has(toText(call)) === false)
        forbidden.add(`${call.accessKeyId}: ${toText(call)}`)
      options.onAwsCall?.(call)
    },
    log: ({ line }) => lines.push(line),
  })
  const { stack } = darkroom
  const env = stack.env as Record<string, string>
  const gemini = darkroom.gemini as Gemini
  const stop = new AbortController()
  const notices: Notice[] = []
  const following = (async () => {
    for await (const notice of followResults(stack, stop.signal)) notices.push(notice)
  })()

  return {
    ...darkroom,
    env,
    gemini,
    lines,
    notices,

    /** Puts bytes under a key of the uploads bucket. */
    async drop(Key: string, Body: Buffer | string, Metadata?: Record<string, string>) {
      await stack.s3.send(new PutObjectCommand({ Bucket: env.UPLOADS_BUCKET, Key, Body, Metadata }))
    },
    async putRecipe(name: string, recipe: unknown) {
      const Body = typeof recipe === 'string' ? recipe : JSON.stringify(recipe)
      await stack.s3.send(new PutObjectCommand({ Bucket: env.RECIPES_BUCKET, Key: `${name}.json`, Body }))
    },
    async sendRaw(MessageBody: string) {
      const { MessageId } = await stack.sqs.send(new SendMessageCommand({ QueueUrl: env.JOBS_QUEUE_URL, MessageBody }))
      return MessageId as string
    },

    /** The results whose key begins so, once there are `count` and the ledger has closed their jobs, which is the last step. */
    async results(prefix: string, count = 1): Promise<Result[]> {
      const found = () => notices.filter(({ key }) => key.startsWith(prefix))
      await until(`${count} result(s) under ${prefix}`, () => found().length >= count)
      return Promise.all(found().map(notice => this.closed(notice)))
    },
    async closed(notice: Notice): Promise<Result> {
      const { id, status } = notice
      await until(`${id} is ${status} in the ledger`, async () => (await this.row(id))?.status === status)
      return readResult(stack, notice)
    },
    /** The result of the next job that ends after `seen` others. */
    async resultAfter(seen: number): Promise<Result> {
      await until('another result', () => notices.length > seen)
      return this.closed(notices[seen] as Notice)
    },
    async result(prefix: string): Promise<Result> {
      return (await this.results(prefix))[0] as Result
    },
    async keys(prefix = ''): Promise<string[]> {
      const { Contents = [] } = await stack.s3.send(
        new ListObjectsV2Command({ Bucket: env.RESULTS_BUCKET, Prefix: prefix }),
      )
      return Contents.map(({ Key }) => Key as string)
    },
    async fetch(Key: string) {
      const object = await stack.s3.send(new GetObjectCommand({ Bucket: env.RESULTS_BUCKET, Key }))
      return {
        bytes: Buffer.from((await object.Body?.transformToByteArray()) ?? []),
        contentType: object.ContentType,
        metadata: object.Metadata,
      }
    },
    /** A job's row in the ledger. */
    row(id: string) {
      return this.item(`job#${id}`, 'job')
    },
    /** Any row of the ledger's table. */
    async item(pk: string, sk: string) {
      const Key = { pk: { S: pk }, sk: { S: sk } }
      const { Item } = await stack.dynamodb.send(
        new GetItemCommand({ TableName: env.LEDGER_TABLE, Key, ConsistentRead: true }),
      )
      return Item && Object.fromEntries(Object.entries(Item).map(([name, value]) => [name, value.S ?? Number(value.N)]))
    },
    /** Messages of a queue that are visible, hidden or delayed. */
    async depth(queue: string): Promise<number> {
      const QueueUrl = queue.startsWith('http') ? queue : stack.queueUrl(queue)
      const { Attributes = {} } = await stack.sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
      )
      const names = [
        'ApproximateNumberOfMessages',
        'ApproximateNumberOfMessagesNotVisible',
        'ApproximateNumberOfMessagesDelayed',
      ]
      return names.reduce((sum, name) => sum + Number(Attributes[name as keyof typeof Attributes] ?? 0), 0)
    },
    /** Takes one message out of a dead-letter queue. */
    async takeDeadLetter(queue: string) {
      const QueueUrl = stack.queueUrl(queue)
      const receive = new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5, MessageAttributeNames: ['All'] })
      const { Messages: [message] = [] } = await stack.sqs.send(receive)
      await stack.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }))
      return { body: message?.Body, reason: message?.MessageAttributes?.['darkroom-reason']?.StringValue }
    },
    async drained() {
      for (const url of [env.JOBS_QUEUE_URL, env.UPLOADS_QUEUE_URL] as string[]) {
        await until(`${url} is empty`, async () => (await this.depth(url)) === 0)
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await following
      await darkroom[Symbol.asyncDispose]()
      expect([...forbidden], 'calls that no role allows').toEqual([])
    },
  }
}

function shippedBundles(): string {
  const bundles = inject('bundles')
  if ('missing' in bundles) throw new Error(bundles.missing)
  return bundles.folder
}

/** Waits for a fact, and fails with its name if it does not come true: late enough for a busy machine, before the test's own time-out. */
export async function until(what: string, fact: () => boolean | Promise<boolean>, patienceMs = 50_000): Promise<void> {
  const end = Date.now() + patienceMs
  while (!(await fact())) {
    if (Date.now() > end) expect.fail(`waited ${patienceMs / 1000} s in vain: ${what}`)
    await sleep(20)
  }
}
