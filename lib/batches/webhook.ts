import type { BatchRows } from '../aws/batch-rows.ts'
import type { Secret } from '../aws/secrets.ts'
import { EditError } from '../errors.ts'
import { readWebhook } from '../gemini/webhook.ts'
import type { Log } from '../log.ts'

/** What a function URL is called with, as far as it matters here. */
export type UrlEvent = {
  headers?: Readonly<Record<string, string | undefined>>
  body?: string
  isBase64Encoded?: boolean
}
type UrlAnswer = { statusCode: number }

type WebhookDesk = {
  batches: BatchRows
  secret: Secret
  queueBatch: (id: string) => Promise<void>
  now: () => number
  log: Log
}

/**
 * Answers Google's webhook at once: the batch that it names is put on the queue, and read again by whoever takes it from
 * there. 401 for whatever bears no signature of Google's, 200 for what was seen before and for batches that are not ours, so
 * that Google does not come again; 503 where it should.
 */
export async function answerWebhook(desk: WebhookDesk, event: UrlEvent): Promise<UrlAnswer> {
  const { batches, secret, queueBatch, now, log } = desk
  const rawBody = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
  const headers = Object.fromEntries(
    Object.entries(event.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  )
  // Before the secret is fetched: noise costs nothing.
  if (!headers['webhook-id'] || !headers['webhook-signature']) return { statusCode: 401 }
  try {
    const call = readWebhook(headers, rawBody, await secret.read(), now())
    if (!call) {
      // Forged, or signed with the secret of a webhook that was registered since.
      secret.forget()
      return { statusCode: 401 }
    }
    if (await batches.hasSeen(call.id)) return { statusCode: 200 }
    const id = await batches.findByName(call.batchName)
    if (id) await queueBatch(id)
    await batches.remember(call.id)
    log.info('webhook', { webhook: call.id, batch: id ?? 'not ours' })
    return { statusCode: 200 }
  } catch (error) {
    if (!(error instanceof EditError)) throw error
    // A warning: anybody can call, and a webhook that is lost costs minutes and nothing else.
    log.warn('webhook could not be answered', { code: error.code, reason: error.message })
    return { statusCode: 503 }
  }
}
