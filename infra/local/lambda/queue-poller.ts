import { setTimeout as wait } from 'node:timers/promises'
import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { readFailedItems } from './batch-response.ts'
import type { Outcome } from './environment.ts'
import { toQueueEvent } from './queue-event.ts'

export type QueuePollerOptions = {
  sqs: SQSClient
  queueUrl: string
  queueArn: string
  /** 1 to 10. */
  batchSize: number
  maximumConcurrency: number
  /** Whether the function's answer may name the messages that failed. */
  reportsItemFailures: boolean
  invoke(event: unknown): Promise<Outcome>
  /** Whether it waits for `resume` before it receives anything. */
  paused?: boolean
  /** Told of what went wrong between poller and queue; the poller goes on. */
  onError?(error: unknown): void
}

export type QueuePoller = {
  /** Stops receiving, and resolves when no receive is under way; batches that run go on. */
  pause(): Promise<void>
  resume(): void
  /** How many batches are with the function. */
  running(): number
  /** Pauses and resolves when the last batch is back. */
  close(): Promise<void>
}

const afterErrorMs = 100

/**
 * Brings a queue's messages to a function as Lambda's event source mapping does. What the function is done with is
 * deleted; what failed stays as it is and comes back when its visibility ends, or goes where the queue sends it.
 */
export function startQueuePoller(options: QueuePollerOptions): QueuePoller {
  const { sqs, queueUrl: QueueUrl, onError = () => {} } = options
  const batches = new Set<Promise<void>>()
  let stopping = new AbortController()
  if (options.paused) stopping.abort()
  let polling = poll(stopping.signal)

  async function poll(signal: AbortSignal): Promise<void> {
    const stopped = new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    while (!signal.aborted) {
      if (batches.size >= options.maximumConcurrency) {
        await Promise.race([stopped, ...batches])
        continue
      }
      const messages = await receive(signal)
      if (messages.length === 0) continue
      const batch = work(messages)
        .catch(onError)
        .finally(() => batches.delete(batch))
      batches.add(batch)
    }
  }

  async function receive(signal: AbortSignal): Promise<Message[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: options.batchSize,
      WaitTimeSeconds: 20,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    })
    try {
      const { Messages = [] } = await sqs.send(command, { abortSignal: signal })
      return Messages
    } catch (error) {
      if (signal.aborted) return []
      onError(error)
      await wait(afterErrorMs)
      return []
    }
  }

  async function work(messages: Message[]): Promise<void> {
    const outcome = await options.invoke(toQueueEvent(messages, options.queueArn))
    if (!outcome.ok) return
    const ids = messages.map(message => message.MessageId ?? '')
    const failed = options.reportsItemFailures ? readFailedItems(outcome.payload, ids) : new Set<string>()
    const Entries = messages
      .filter(message => !failed.has(message.MessageId ?? ''))
      .map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }))
    if (Entries.length > 0) await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
  }

  const stop = () => {
    stopping.abort()
    return polling
  }
  return {
    async pause() {
      await stop()
      // The queue learns in its own time that a receive was given up, and gives the next message to nobody until then. Two
      // answers later it has surely seen it.
      const look = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] })
      for (let answers = 0; answers < 2; answers += 1) await sqs.send(look).catch(onError)
    },
    resume() {
      if (!stopping.signal.aborted) return
      stopping = new AbortController()
      const { signal } = stopping
      polling = polling.then(() => poll(signal))
    },
    running: () => batches.size,
    async close() {
      await stop()
      await Promise.all(batches)
    },
  }
}
