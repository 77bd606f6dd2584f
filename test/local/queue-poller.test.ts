import { join } from 'node:path'
import { GetQueueAttributesCommand, SendMessageBatchCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import type { SQSEvent } from 'aws-lambda'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Stack, startStack } from '../../infra/local/stack.ts'

const fixture = (name: string) => join(import.meta.dirname, 'fixtures', `${name}.mjs`)

let stack: Stack
let jobs: string

async function start(handler: string, clockFactor = 1): Promise<void> {
  const handlerFiles = { job: fixture(handler) }
  stack = await startStack({ functions: ['job'], handlerFiles, clockFactor, paused: true })
  jobs = stack.env.JOBS_QUEUE_URL ?? ''
}
afterEach(() => stack.close())

async function send(...bodies: string[]): Promise<void> {
  const Entries = bodies.map((MessageBody, index) => ({ Id: String(index), MessageBody }))
  await stack.sqs.send(new SendMessageBatchCommand({ QueueUrl: jobs, Entries }))
}

async function count(QueueUrl = jobs): Promise<{ waiting: number; inFlight: number }> {
  const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] })
  const { Attributes = {} } = await stack.sqs.send(command)
  return {
    waiting: Number(Attributes.ApproximateNumberOfMessages),
    inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
  }
}

/** The events that reached the function, in the order of their start. */
function recordEvents(): SQSEvent[] {
  const events: SQSEvent[] = []
  stack.lambda.events.on('start', ({ event }) => events.push(event as SQSEvent))
  return events
}

const bodies = (event: SQSEvent | undefined) => event?.Records.map(({ body }) => body)

describe('with a function that reports what failed', () => {
  beforeEach(() => start('answer-failed-items'))

  test('messages come in batches of five, each as Lambda would show it', async () => {
    const events = recordEvents()
    const MessageAttributes = {
      note: { DataType: 'String', StringValue: 'ä' },
      bytes: { DataType: 'Binary', BinaryValue: Buffer.from([1, 2]) },
    }
    const sent = await stack.sqs.send(
      new SendMessageCommand({ QueueUrl: jobs, MessageBody: 'first', MessageAttributes }),
    )
    await send('b', 'c', 'd', 'e', 'f', 'g')
    stack.resumePollers()
    await expect.poll(() => count()).toEqual({ waiting: 0, inFlight: 0 })
    expect(events.map(bodies)).toEqual([
      ['first', 'b', 'c', 'd', 'e'],
      ['f', 'g'],
    ])
    const millis = expect.stringMatching(/^\d{13}$/)
    expect(events[0]?.Records[0]).toEqual({
      messageId: sent.MessageId,
      receiptHandle: expect.stringMatching(/./),
      body: 'first',
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: millis,
        SenderId: '000000000000',
        ApproximateFirstReceiveTimestamp: millis,
      },
      messageAttributes: {
        note: { stringValue: 'ä', stringListValues: [], binaryListValues: [], dataType: 'String' },
        bytes: { binaryValue: 'AQI=', stringListValues: [], binaryListValues: [], dataType: 'Binary' },
      },
      md5OfBody: sent.MD5OfMessageBody,
      md5OfMessageAttributes: sent.MD5OfMessageAttributes,
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:darkroom-jobs',
      awsRegion: 'us-east-1',
    })
  })

  test('what was done is deleted, and what failed keeps its visibility', async () => {
    await send('done 1', 'fail 1', 'done 2')
    stack.resumePollers()
    await expect.poll(() => count()).toEqual({ waiting: 0, inFlight: 1 })
  })

  test('while paused nothing is taken, and nothing is lost', async () => {
    const events = recordEvents()
    stack.resumePollers()
    await stack.pausePollers()
    await send('later')
    expect(await count()).toEqual({ waiting: 1, inFlight: 0 })
    stack.resumePollers()
    await expect.poll(() => events.map(bodies)).toEqual([['later']])
    await expect.poll(() => count()).toEqual({ waiting: 0, inFlight: 0 })
  })
})

test('a function that fails keeps the whole batch in the queue', async () => {
  await start('hang')
  const ended = new Promise(resolve => stack.lambda.events.once('end', (_, outcome) => resolve(outcome.ok)))
  stack.lambda.events.once('start', ({ requestId }) => stack.lambda.kill(requestId))
  await send('a', 'b')
  stack.resumePollers()
  expect(await ended).toBe(false)
  await stack.pausePollers()
  await stack.pollers.job?.close()
  expect(await count()).toEqual({ waiting: 0, inFlight: 2 })
})

test('no more batches run at once than the mapping allows', async () => {
  await start('hang')
  for (let batch = 0; batch < 6; batch += 1) await send(...Array.from({ length: 10 }, (_, index) => `${index}`))
  stack.resumePollers()
  await expect.poll(() => stack.lambda.running('job').length, { timeout: 10_000 }).toBe(10)
  expect(stack.pollers.job?.running()).toBe(10)
  expect(await count()).toEqual({ waiting: 10, inFlight: 50 })
})

test('a message that fails twenty times is found in the dead-letter queue', async () => {
  await start('answer-failed-items', 18_000)
  await send('fail')
  stack.resumePollers()
  const deadLetters = stack.queueUrl('darkroom-jobs-dead-letter')
  await expect.poll(() => count(deadLetters), { timeout: 10_000 }).toEqual({ waiting: 1, inFlight: 0 })
  expect(await count()).toEqual({ waiting: 0, inFlight: 0 })
  expect(stack.lambda.counts('job').invocations).toBe(20)
})
