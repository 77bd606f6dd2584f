import { ChangeMessageVisibilityCommand, type SQSClient } from '@aws-sdk/client-sqs'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { EditError, Held } from '../errors.ts'
import type { Log } from '../log.ts'
import { backoffMs } from '../retry.ts'
import { callAws } from './faults.ts'
import { findDeadLetters, readTravels, sendMessage, type Travels, toAttributes } from './messages.ts'

/** One job of a message: `body` is what to send again for this job alone. */
export type Delivery = { id: string; body: string; run: () => Promise<unknown> }

/** The jobs in a message's body; throws `ERR_JOB_UNREADABLE` where it holds none. */
export type Open = (body: string, travels: Travels) => Delivery[]

type QueueOptions = { log: Log; now: () => number }

export type Queue = ReturnType<typeof createQueue>

const LONGEST_DELAY_S = 900
const LONGEST_VISIBILITY_S = 43_200
const ERRORS_LIMIT = 5
/** How often a repair is looked for where the job itself could not say. */
const REPAIR_MS = 60_000

/**
 * A queue's messages as Lambda delivers them, and the one place that decides what a rejection means:
 *
 * | the job                         | the message                                                       |
 * | ------------------------------- | ----------------------------------------------------------------- |
 * | is over                         | acknowledged                                                      |
 * | waits, or needs a repair        | sent again with its id and a delay (≤ 900 s, chained), then acknowledged |
 * | has a living owner              | stays, invisible until the owner's lease ends                     |
 * | met a bug                       | sent again with growing delays; after five bugs, dead letter      |
 * | is no job at all                | dead letter, with the reason                                      |
 *
 * Sent first and acknowledged after, so that a function that dies in between leaves two messages and never none.
 */
export function createQueue(sqs: SQSClient, url: string, { log, now }: QueueOptions) {
  const send = (queueUrl: string, body: string, attributes: Record<string, string>, delaySeconds: number) =>
    sendMessage(sqs, queueUrl, body, attributes, delaySeconds)

  function sendAgain(
    { id, body }: Delivery,
    travels: Travels,
    delayMs: number,
    errors = travels.errors,
  ): Promise<void> {
    const delaySeconds = Math.min(LONGEST_DELAY_S, Math.max(0, Math.ceil(delayMs / 1000)))
    return send(url, body, toAttributes({ ...travels, id, sends: travels.sends + 1, errors }), delaySeconds)
  }

  async function bury(body: string, travels: Travels, reason: string): Promise<void> {
    const attributes = { ...toAttributes(travels), 'darkroom-reason': toPrintable(reason) }
    await send(await findDeadLetters(sqs, url), body, attributes, 0)
  }

  async function hide({ receiptHandle }: SQSRecord, until: number): Promise<void> {
    const seconds = Math.min(LONGEST_VISIBILITY_S, Math.max(1, Math.ceil((until - now()) / 1000)))
    const command = new ChangeMessageVisibilityCommand({
      QueueUrl: url,
      ReceiptHandle: receiptHandle,
      VisibilityTimeout: seconds,
    })
    await callAws(`sqs:ChangeMessageVisibility on ${url}`, () => sqs.send(command))
  }

  /** Runs one job of a message; resolves to whether the message may go. */
  async function settle(record: SQSRecord, delivery: Delivery, travels: Travels, alone: boolean): Promise<boolean> {
    try {
      await delivery.run()
      return true
    } catch (error) {
      if (error instanceof Held) {
        // A message with several jobs can't be hidden for one of them.
        if (error.by === 'waiting' || !alone) await sendAgain(delivery, travels, error.until - now())
        else await hide(record, error.until)
        return error.by === 'waiting' || !alone
      }
      if (error instanceof EditError && error.remedy !== 'change') await sendLater(delivery, travels, error)
      else await sendAfterBug(delivery, travels, error)
      return true
    }
  }

  async function sendLater(delivery: Delivery, travels: Travels, error: EditError): Promise<void> {
    const delayMs = error.retryAfterMs ?? (error.remedy === 'repair' ? REPAIR_MS : backoffMs(travels.sends + 1))
    // Also for a repair: the one job that met it first has said so as an error.
    log.warn('job waits', {
      job: delivery.id,
      code: error.code,
      remedy: error.remedy,
      reason: error.message,
      delayMs,
    })
    await sendAgain(delivery, travels, delayMs)
  }

  async function sendAfterBug(delivery: Delivery, travels: Travels, error: unknown): Promise<void> {
    const errors = travels.errors + 1
    log.error('job met a bug', { job: delivery.id, errors, error })
    if (errors >= ERRORS_LIMIT)
      await bury(delivery.body, { ...travels, id: delivery.id, errors }, `bug: ${String(error)}`)
    else await sendAgain(delivery, travels, backoffMs(errors), errors)
  }

  const leaveUnsettled =
    ({ messageId }: SQSRecord) =>
    (error: unknown): false => {
      log.error('message could not be settled', { messageId, error })
      return false
    }

  async function consumeRecord(record: SQSRecord, open: Open): Promise<boolean> {
    const travels = readTravels(record)
    let deliveries: Delivery[]
    try {
      deliveries = open(record.body, travels)
    } catch (error) {
      if (!(error instanceof EditError)) throw error
      log.error('message is no job', { messageId: record.messageId, code: error.code, reason: error.message })
      await bury(record.body, travels, `${error.code}: ${error.message}`)
      return true
    }
    // Each by itself: what can't be settled must not let the function end while another job of the message is in its call.
    const settled = await Promise.all(
      deliveries.map(delivery =>
        settle(record, delivery, travels, deliveries.length === 1).catch(leaveUnsettled(record)),
      ),
    )
    return settled.every(Boolean)
  }

  return {
    /** Puts a body on the queue, to be seen after a delay of 900 s at most; an id of Darkroom's own travels beside it. */
    send: (body: string, id?: string, delayMs = 0) =>
      send(
        url,
        body,
        id === undefined ? {} : { 'darkroom-id': id },
        Math.min(LONGEST_DELAY_S, Math.ceil(delayMs / 1000)),
      ),

    /** Works on all records side by side; what could not be settled stays on the queue. */
    async consume(event: SQSEvent, open: Open): Promise<SQSBatchResponse> {
      const gone = await Promise.all(
        event.Records.map(record => consumeRecord(record, open).catch(leaveUnsettled(record))),
      )
      return {
        batchItemFailures: event.Records.filter((_, index) => !gone[index]).map(({ messageId }) => ({
          itemIdentifier: messageId,
        })),
      }
    },
  }
}

/** SQS takes attributes of printable text; a reason is for people and may be cut. */
function toPrintable(reason: string): string {
  return (
    reason
      .toWellFormed()
      .replace(/[\p{Cc}\ufffe\uffff]+/gu, ' ')
      .slice(0, 1000) || 'unknown'
  )
}
