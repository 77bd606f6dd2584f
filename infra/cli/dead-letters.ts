import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { readUploads, toUploadId } from '../../lib/aws/events.ts'
import { findDeadLetters } from '../../lib/aws/messages.ts'
import type { QueueName } from './queues.ts'

/** A message that Darkroom gave up. */
export type DeadLetter = {
  messageId: string
  /** The jobs in it, as far as it can be read: an upload notice may hold several. */
  jobIds: string[]
  reason: string
  firstSeenAt: number
  body: string
  attributes: Record<string, string>
  deadLetterUrl: string
  receiptHandle: string
}

/** Nobody else sees what is held for this long; an operator who is interrupted gives it back by waiting. */
const HELD_S = 300

/** All messages of a queue's dead-letter queue, hidden from others until they are disposed of. Whatever happens, they stay. */
export async function holdDeadLetters(
  sqs: SQSClient,
  queue: QueueName,
  url: string,
): Promise<AsyncDisposable & { letters: DeadLetter[] }> {
  const deadLetterUrl = await findDeadLetters(sqs, url)
  const most = await readMostReceives(sqs, url)
  const letters = new Map<string, DeadLetter>()
  for (;;) {
    const receive = new ReceiveMessageCommand({
      QueueUrl: deadLetterUrl,
      MaxNumberOfMessages: 10,
      VisibilityTimeout: HELD_S,
      // A short poll asks some of SQS's machines only, and would miss messages.
      WaitTimeSeconds: 1,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
    })
    const { Messages = [] } = await sqs.send(receive)
    const fresh = Messages.filter(({ MessageId = '' }) => !letters.has(MessageId))
    for (const message of Messages)
      letters.set(message.MessageId ?? '', toDeadLetter(queue, deadLetterUrl, most, message))
    if (fresh.length === 0) break
  }
  return {
    letters: [...letters.values()],
    async [Symbol.asyncDispose]() {
      for (const { receiptHandle } of letters.values()) {
        const release = { QueueUrl: deadLetterUrl, ReceiptHandle: receiptHandle, VisibilityTimeout: 0 }
        // One that was redriven is gone; the others come back by themselves when this fails.
        await sqs.send(new ChangeMessageVisibilityCommand(release)).catch(() => undefined)
      }
    },
  }
}

/**
 * Sends a dead letter to its queue again with its id and first-seen time, its errors forgotten, and deletes it then: who is
 * interrupted in between leaves two messages, and the ledger knows that they are one job.
 */
export async function redrive(sqs: SQSClient, url: string, letter: DeadLetter): Promise<void> {
  const { messageId, body, attributes, firstSeenAt, deadLetterUrl, receiptHandle } = letter
  const id = attributes['darkroom-id']
  const kept = {
    // A job without an id has its first message's.
    'darkroom-message': attributes['darkroom-message'] ?? messageId,
    ...(id !== undefined && { 'darkroom-id': id }),
    'darkroom-first-seen': String(firstSeenAt),
  }
  const MessageAttributes = Object.fromEntries(
    Object.entries(kept).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
  )
  await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body, MessageAttributes }))
  await sqs.send(new DeleteMessageCommand({ QueueUrl: deadLetterUrl, ReceiptHandle: receiptHandle }))
}

async function readMostReceives(sqs: SQSClient, url: string): Promise<number> {
  const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['RedrivePolicy'] })
  const { Attributes } = await sqs.send(command)
  const policy = JSON.parse(Attributes?.RedrivePolicy ?? '{}') as { maxReceiveCount?: number | string }
  return Number(policy.maxReceiveCount)
}

function toDeadLetter(queue: QueueName, deadLetterUrl: string, most: number, message: Message): DeadLetter {
  const { MessageId: messageId = '', Body: body = '', ReceiptHandle: receiptHandle = '' } = message
  const attributes = Object.fromEntries(
    Object.entries(message.MessageAttributes ?? {}).map(([name, value]) => [name, value.StringValue ?? '']),
  )
  const firstSeenAt = Number(attributes['darkroom-first-seen']) || Number(message.Attributes?.SentTimestamp)
  return {
    messageId,
    jobIds: readJobIds(queue, messageId, body, attributes),
    // SQS moves a message by itself, and says no reason.
    reason:
      attributes['darkroom-reason'] ?? `received ${most} times and never settled: its functions died or were killed`,
    firstSeenAt,
    body,
    attributes,
    deadLetterUrl,
    receiptHandle,
  }
}

/** The ids under which the ledger knows a message's jobs; none where it holds no job. */
function readJobIds(queue: QueueName, messageId: string, body: string, attributes: Record<string, string>): string[] {
  const known = attributes['darkroom-id']
  if (known !== undefined) return [known]
  try {
    const value = JSON.parse(body) as unknown
    if (queue === 'uploads') return (readUploads(value) ?? []).map(({ notice }) => toUploadId(notice))
    if (queue !== 'jobs' || typeof value !== 'object' || value === null || Array.isArray(value)) return []
    const { id } = value as { id?: unknown }
    return [
      typeof id === 'string' && /^[A-Za-z0-9._-]{1,100}$/.test(id)
        ? id
        : `msg-${attributes['darkroom-message'] ?? messageId}`,
    ]
  } catch {
    return []
  }
}
