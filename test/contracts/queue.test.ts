import { DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import type { SQSEvent } from 'aws-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toQueueEvent } from '../../infra/local/lambda/queue-event.ts'
import { createQueue, type Queue } from '../../lib/aws/queue.ts'
import { EditError, Held } from '../../lib/errors.ts'
import { type Backend, openBackend } from '../helpers/backend.ts'

/** SQS delays and hides in whole seconds, and a real one is a little late. */
const TWO_SECONDS = 2000

let backend: Backend
let queue: Queue

beforeAll(async () => {
  backend = await openBackend()
  const log = { info() {}, warn() {}, error() {} }
  queue = createQueue(backend.sqs, backend.queueUrl, { log, now: Date.now })
})
afterAll(() => backend[Symbol.asyncDispose]())

/** The next message, as Lambda would bring it. */
async function receive(QueueUrl = backend.queueUrl): Promise<SQSEvent> {
  for (let polls = 0; polls < 5; polls += 1) {
    const { Messages = [] } = await backend.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        WaitTimeSeconds: 5,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
    )
    if (Messages.length > 0) return toQueueEvent(Messages, 'arn:aws:sqs:us-east-1:000000000000:contract')
  }
  throw new Error(`nothing came from ${QueueUrl}`)
}

/** What Lambda does with a batch's answer: deletes all that may go. */
async function deliver(run: () => Promise<unknown>, QueueUrl = backend.queueUrl) {
  const event = await receive(QueueUrl)
  const answer = await queue.consume(event, body => [{ id: 'contract-job', body, run }])
  const stay = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
  for (const { messageId, receiptHandle } of event.Records)
    if (!stay.has(messageId)) await remove(QueueUrl, receiptHandle)
  return { record: event.Records[0], stays: stay.size > 0, at: Date.now() }
}

const remove = (QueueUrl: string, ReceiptHandle: string) =>
  backend.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
const done = async () => undefined
const attributeOf = (record: SQSEvent['Records'][number] | undefined, name: string) =>
  record?.messageAttributes[name]?.stringValue

describe('a message on SQS', { timeout: 60_000 }, () => {
  test('is brought as it was sent, umlauts, emoji and all, and goes when its job is over', async () => {
    await queue.send('{"prompt":"Küche 日本 😀"}')
    const { record, stays } = await deliver(done)
    expect([record?.body, stays]).toEqual(['{"prompt":"Küche 日本 😀"}', false])
  })

  test('whose job waits comes again after the delay and no sooner, with its id and its first time', async () => {
    await queue.send('{"waits":true}')
    const first = await deliver(async () => {
      throw new EditError('ERR_GEMINI_RATE', 'slow down', { retryAfterMs: TWO_SECONDS })
    })
    const second = await deliver(done)
    expect(second.at - first.at).toBeGreaterThanOrEqual(TWO_SECONDS - 500)
    expect(second.record?.body).toBe('{"waits":true}')
    expect(attributeOf(second.record, 'darkroom-id')).toBe('contract-job')
    expect(attributeOf(second.record, 'darkroom-first-seen')).toBe(first.record?.attributes.SentTimestamp)
    expect(attributeOf(second.record, 'darkroom-sends')).toBe('1')
    expect(second.record?.attributes.ApproximateReceiveCount).toBe('1')
  })

  test('whose job has a living owner is the same message when it comes again, after the lease', async () => {
    await queue.send('{"held":true}')
    const first = await deliver(async () => {
      throw new Held('contract-job', Date.now() + TWO_SECONDS, 'lease')
    })
    expect(first.stays).toBe(true)
    const second = await deliver(done)
    expect(second.at - first.at).toBeGreaterThanOrEqual(TWO_SECONDS - 500)
    expect(second.record?.messageId).toBe(first.record?.messageId)
    expect(second.record?.attributes.ApproximateReceiveCount).toBe('2')
  })

  test('that is no job lies with the dead letters, with the reason', async () => {
    await queue.send('no job')
    const event = await receive()
    await queue.consume(event, () => {
      throw new EditError('ERR_JOB_UNREADABLE', 'the message is no JSON: “no job”\u0007')
    })
    for (const { receiptHandle } of event.Records) await remove(backend.queueUrl, receiptHandle)
    const [dead] = (await receive(backend.deadLetterUrl)).Records
    expect([dead?.body, attributeOf(dead, 'darkroom-reason')]).toEqual([
      'no job',
      'ERR_JOB_UNREADABLE: the message is no JSON: “no job” ',
    ])
    await remove(backend.deadLetterUrl, dead?.receiptHandle ?? '')
  })
})
