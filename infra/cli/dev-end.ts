import { once } from 'node:events'
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import type { SQSEvent } from 'aws-lambda'
import type { Stack } from '../local/stack.ts'

/** npm hands a Ctrl-C on to a process that has had it from the terminal already: within this time the two are one. */
const ECHO_MS = 500

/** The functions that edit, a photo or job a record. */
const EDITORS = ['upload', 'job'] as const

export type End = {
  /** Whether nothing more is to be begun. */
  asked: AbortSignal
  /** Whether what is under way isn't to be waited for. */
  atOnce: AbortSignal
}

/** Hears the first SIGINT or SIGTERM, and the second; the third ends the process as it would without us. */
export function listenForEnd(): End {
  const asked = new AbortController()
  const atOnce = new AbortController()
  let askedAtMs = 0
  const hear = () => {
    if (!asked.signal.aborted) {
      askedAtMs = Date.now()
      asked.abort()
    } else if (Date.now() - askedAtMs > ECHO_MS) {
      process.off('SIGINT', hear).off('SIGTERM', hear)
      atOnce.abort()
    }
  }
  process.on('SIGINT', hear).on('SIGTERM', hear)
  return { asked: asked.signal, atOnce: atOnce.signal }
}

/**
 * Once the end is asked for, begins nothing more and waits for what is under way: an edit that is cut off is paid for, and its
 * message stays hidden for half an hour.
 */
export async function finishWork({ lambda, pollers, pausePollers }: Stack, { asked, atOnce }: End): Promise<void> {
  await aborted(asked)
  await pausePollers()
  const all = Object.values(pollers)
  if (all.every(poller => poller.running() === 0)) return
  const edits = EDITORS.flatMap(name => lambda.running(name)).flatMap(({ event }) => (event as SQSEvent).Records).length
  console.log(`\nClosing; ${edits} edit(s) are under way, Ctrl-C again ends at once.`)
  await Promise.race([Promise.all(all.map(poller => poller.close())), aborted(atOnce)])
}

/** Says what a run before this one left under way: its photos stay silent until the queue gives them out again. */
export async function tellLeftovers({ sqs, env }: Stack): Promise<void> {
  const counts = [env.UPLOADS_QUEUE_URL, env.JOBS_QUEUE_URL].map(async QueueUrl => {
    const name = 'ApproximateNumberOfMessagesNotVisible'
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [name] }))
    return Number(Attributes?.[name] ?? 0)
  })
  const left = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
  if (left > 0)
    console.log(
      `${left} message(s) of the last run are under way; they come back within 30 minutes, or when their wait ends.`,
    )
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
