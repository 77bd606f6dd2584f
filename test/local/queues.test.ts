import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { PublishCommand } from '@aws-sdk/client-sns'
import {
  ChangeMessageVisibilityCommand,
  type Message,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Stack, startStack } from '../../infra/local/stack.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function receive(stack: Stack, QueueUrl: string, more: Partial<ReceiveMessageCommandInput> = {}) {
  const command = new ReceiveMessageCommand({
    QueueUrl,
    WaitTimeSeconds: 5,
    MessageSystemAttributeNames: ['All'],
    ...more,
  })
  const { Messages = [] } = await stack.sqs.send(command)
  return Messages[0] as Message & { Attributes: Record<string, string> }
}

describe('at ten minutes a second', () => {
  const minuteMs = 60_000
  let stack: Stack
  let jobs: string

  beforeAll(async () => {
    stack = await startStack({ functions: [], clockFactor: 600 })
    jobs = stack.env.JOBS_QUEUE_URL ?? ''
  })
  afterAll(() => stack.close())

  async function measure<T>(work: () => Promise<T>): Promise<{ value: T; virtualMs: number; realMs: number }> {
    const [virtual, real] = [stack.clock.now(), performance.now()]
    const value = await work()
    return { value, virtualMs: stack.clock.now() - virtual, realMs: performance.now() - real }
  }

  test('a message delayed by five minutes comes after five minutes of the stack', async () => {
    const QueueUrl = stack.queueUrl('darkroom-batches')
    const { value, virtualMs, realMs } = await measure(async () => {
      await stack.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'late', DelaySeconds: 300 }))
      return receive(stack, QueueUrl)
    })
    expect(value.Body).toBe('late')
    expect(virtualMs).toBeGreaterThanOrEqual(5 * minuteMs)
    expect(realMs).toBeLessThan(60_000)
  })

  test("a message stays invisible for the queue's thirty minutes, or for as long as it is told", async () => {
    await stack.sqs.send(new SendMessageCommand({ QueueUrl: jobs, MessageBody: 'work' }))
    const first = await receive(stack, jobs)
    const again = await measure(() => receive(stack, jobs))
    expect(again.value.MessageId).toBe(first.MessageId)
    expect(again.virtualMs).toBeGreaterThanOrEqual(29 * minuteMs)
    expect(again.value.Attributes.ApproximateReceiveCount).toBe('2')

    const { ReceiptHandle } = again.value
    const changed = await measure(async () => {
      const command = new ChangeMessageVisibilityCommand({ QueueUrl: jobs, ReceiptHandle, VisibilityTimeout: 120 })
      await stack.sqs.send(command)
      return receive(stack, jobs)
    })
    expect(changed.value.MessageId).toBe(first.MessageId)
    expect(changed.virtualMs).toBeGreaterThanOrEqual(2 * minuteMs)
    expect(changed.virtualMs).toBeLessThan(29 * minuteMs)
  })

  test('messages and objects carry dates of the stack', async () => {
    const QueueUrl = stack.env.UPLOADS_QUEUE_URL ?? ''
    const before = stack.clock.now()
    await stack.s3.send(new PutObjectCommand({ Bucket: 'darkroom-uploads', Key: 'a.jpg', Body: 'x' }))
    const message = await receive(stack, QueueUrl)
    const after = stack.clock.now()
    const [notice] = JSON.parse(message.Body ?? '').Records
    for (const time of [Number(message.Attributes.SentTimestamp), Date.parse(notice.eventTime)]) {
      expect(time).toBeGreaterThanOrEqual(before - 1)
      expect(time).toBeLessThanOrEqual(after)
    }
  })

  test('the results feed hears what the topic is told, as it was said', async () => {
    const Message = JSON.stringify({ id: 'up-1', status: 'done' })
    await stack.sns.send(new PublishCommand({ TopicArn: stack.env.RESULTS_TOPIC_ARN, Message }))
    expect((await receive(stack, stack.resultsFeedUrl)).Body).toBe(Message)
  })
})

describe('with a state folder', () => {
  test('everything is there again after a power cut', async () => {
    const before = await startStack({ stateFolder: folder, functions: [] })
    const item = { pk: { S: 'job#1' }, sk: { S: 'job' }, status: { S: 'done' }, updatedAt: { S: '2026' } }
    await before.s3.send(new PutObjectCommand({ Bucket: 'darkroom-results', Key: 'ä/1', Body: 'picture' }))
    await before.dynamodb.send(new PutItemCommand({ TableName: before.env.LEDGER_TABLE, Item: item }))
    await before.sqs.send(new SendMessageCommand({ QueueUrl: before.env.JOBS_QUEUE_URL, MessageBody: 'waiting' }))
    await before.kill()

    await using after = await startStack({ stateFolder: folder, functions: [] })
    const pages = await after.s3.send(new ListObjectsV2Command({ Bucket: 'darkroom-results' }))
    expect(pages.Contents?.map(object => object.Key)).toEqual(['ä/1'])
    const { pk, sk } = item
    const { Item } = await after.dynamodb.send(
      new GetItemCommand({ TableName: after.env.LEDGER_TABLE, Key: { pk, sk } }),
    )
    expect(Item).toEqual(item)
    expect((await receive(after, after.env.JOBS_QUEUE_URL ?? '')).Body).toBe('waiting')
  })

  test('a message handed back at once comes again at once, and has not forgotten how often it was received', async () => {
    await using stack = await startStack({ stateFolder: join(folder, 'handed-back'), functions: [] })
    const QueueUrl = stack.env.JOBS_QUEUE_URL ?? ''
    await stack.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'not mine' }))
    const { ReceiptHandle } = await receive(stack, QueueUrl)
    await stack.sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }))
    expect((await receive(stack, QueueUrl)).Attributes.ApproximateReceiveCount).toBe('2')
  })

  test('the clock does not go back over a restart', async () => {
    const stateFolder = join(folder, 'clock')
    const fast = await startStack({ stateFolder, functions: [], clockFactor: 3600 })
    await fast.clock.sleep(600_000)
    await fast.close()
    const reached = fast.clock.now()
    await using slow = await startStack({ stateFolder, functions: [] })
    expect(slow.clock.now()).toBeGreaterThanOrEqual(reached)
  })
})

test('who hangs up while waiting takes no message along', async () => {
  await using stack = await startStack({ functions: [] })
  const QueueUrl = stack.env.JOBS_QUEUE_URL ?? ''
  const hangUp = new AbortController()
  const waiting = stack.sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }), {
    abortSignal: hangUp.signal,
  })
  // It is surely under way when another call, sent after it, has been answered.
  await receive(stack, QueueUrl, { WaitTimeSeconds: 0 })
  hangUp.abort()
  await expect(waiting).rejects.toThrow()
  // A server learns of it in its own time, AWS's too: what comes in that moment is lost to the visibility.
  await receive(stack, QueueUrl, { WaitTimeSeconds: 1 })
  await stack.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'kept' }))
  expect(await receive(stack, QueueUrl)).toMatchObject({ Body: 'kept', Attributes: { ApproximateReceiveCount: '1' } })
})
