import {
  GetQueueAttributesCommand,
  type MessageAttributeValue,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { SQSRecord } from 'aws-lambda'
import { EditError } from '../errors.ts'
import { callAws } from './faults.ts'

/** What travels with a job's message from the first sending on. */
export type Travels = {
  /** SQS's id of the first sending. */
  messageId: string
  /** Set once Darkroom has sent it again. */
  id?: string
  firstSeenAt: number
  /** How often it was sent again. */
  sends: number
  /** Bugs met so far; kills don't count. */
  errors: number
}

/** Every id that a job may have, Darkroom's own among them. */
export const JOB_ID = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/

/** What a record brought along. Whoever may send messages may write it: what can't be true is left out. */
export function readTravels({ messageId, messageAttributes, attributes }: SQSRecord): Travels {
  const text = (name: string) => messageAttributes[name]?.stringValue
  const count = (name: string) => Math.max(0, Math.trunc(Number(text(name)) || 0))
  const sentAt = Number(attributes.SentTimestamp)
  return {
    messageId: JOB_ID.test(text('darkroom-message') ?? '') ? (text('darkroom-message') ?? messageId) : messageId,
    // An id becomes part of keys.
    id: JOB_ID.test(text('darkroom-id') ?? '') ? text('darkroom-id') : undefined,
    firstSeenAt: Math.min(sentAt, count('darkroom-first-seen') || sentAt),
    sends: count('darkroom-sends'),
    errors: count('darkroom-errors'),
  }
}

/** The same as a message's attributes. */
export function toAttributes({ messageId, id, firstSeenAt, sends, errors }: Travels): Record<string, string> {
  return {
    'darkroom-message': messageId,
    ...(id === undefined ? {} : { 'darkroom-id': id }),
    'darkroom-first-seen': String(firstSeenAt),
    'darkroom-sends': String(sends),
    'darkroom-errors': String(errors),
  }
}

/** Sends one message; SQS takes delays of 900 s at most. */
export async function sendMessage(
  sqs: SQSClient,
  queueUrl: string,
  body: string,
  attributes: Record<string, string>,
  delaySeconds: number,
): Promise<void> {
  const MessageAttributes = Object.fromEntries(
    Object.entries(attributes).map(([name, value]): [string, MessageAttributeValue] => [
      name,
      { DataType: 'String', StringValue: value },
    ]),
  )
  const command = new SendMessageCommand({
    QueueUrl: queueUrl,
    MessageBody: body,
    DelaySeconds: delaySeconds,
    MessageAttributes,
  })
  await callAws(`sqs:SendMessage on ${queueUrl}`, () => sqs.send(command))
}

type SentBefore = Pick<Travels, 'messageId' | 'firstSeenAt'> & { queueUrl: string; body: string }

/** Sends the message of a job again at once, with the id and the first sending that it had. */
export function createSendAgain(sqs: SQSClient) {
  return (id: string, { queueUrl, body, ...first }: SentBefore) =>
    sendMessage(sqs, queueUrl, body, toAttributes({ id, sends: 0, errors: 0, ...first }), 0)
}

/** The dead-letter queue as the queue itself names it, in the same account. */
export async function findDeadLetters(sqs: SQSClient, url: string): Promise<string> {
  const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['RedrivePolicy'] })
  const { Attributes } = await callAws(`sqs:GetQueueAttributes on ${url}`, () => sqs.send(command))
  const { deadLetterTargetArn } = JSON.parse(Attributes?.RedrivePolicy ?? '{}') as { deadLetterTargetArn?: string }
  const name = deadLetterTargetArn?.split(':').at(-1)
  if (!name) throw new EditError('ERR_AWS_FORBIDDEN', `queue ${url} has no dead-letter queue`)
  return `${url.slice(0, url.lastIndexOf('/'))}/${name}`
}
