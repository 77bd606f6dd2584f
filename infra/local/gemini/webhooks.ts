import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { z } from 'zod'
import { GoogleError, invalid } from './google-error.ts'

const EVENTS = ['batch.succeeded', 'batch.failed', 'batch.expired'] as const
export type WebhookEvent = (typeof EVENTS)[number]

const Registration = z.object({ name: z.string(), uri: z.url(), subscribed_events: z.array(z.enum(EVENTS)) })

export type Webhooks = ReturnType<typeof createWebhooks>

/** Google tries for 24 hours; here three times are enough to tell. */
const TRY_AGAIN_MS = [10_000, 60_000]

/** Registered webhooks, signed by the rules of Standard Webhooks. */
export function createWebhooks(now: () => number, sleep: (ms: number) => Promise<unknown>) {
  const registered: { id: string; name: string; uri: string; events: readonly string[]; secret: string }[] = []
  const statuses: number[] = []

  const post = async (uri: string, headers: Record<string, string>, body: string): Promise<number> => {
    try {
      const response = await fetch(uri, { method: 'POST', headers, body })
      await response.arrayBuffer()
      return response.status
    } catch {
      return 0
    }
  }

  return {
    /** What the receivers answered, 0 for no answer. */
    statuses: statuses as readonly number[],
    register(json: unknown) {
      const parsed = Registration.safeParse(json)
      if (!parsed.success) throw invalid(z.prettifyError(parsed.error))
      const { name, uri, subscribed_events } = parsed.data
      return this.add(name, uri, subscribed_events)
    },
    /** Registers with a secret of one's own choice, for receivers that have theirs already. */
    add(
      name: string,
      uri: string,
      events: readonly string[] = EVENTS,
      secret = `whsec_${randomBytes(24).toString('base64')}`,
    ) {
      const id = randomUUID()
      registered.push({ id, name, uri, events, secret })
      return { id, name, uri, subscribed_events: events, new_signing_secret: secret, state: 'enabled' }
    },
    /** Without their secrets, as Google shows each once. */
    list: () => registered.map(({ id, name, uri, events }) => ({ id, name, uri, subscribed_events: events })),
    remove(id: string): void {
      const at = registered.findIndex(webhook => webhook.id === id)
      if (at < 0) throw new GoogleError(404, 'Requested entity was not found.')
      registered.splice(at, 1)
    },
    /** Tells every receiver of an event; resolves when each has answered, or was given up. */
    async tell(type: WebhookEvent, data: Record<string, unknown>): Promise<void> {
      for (const { uri, secret } of registered.filter(it => it.events.includes(type))) {
        const id = `msg_${randomUUID()}`
        const body = JSON.stringify({ type, version: 'v1', timestamp: new Date(now()).toISOString(), data })
        for (const delayMs of [...TRY_AGAIN_MS, undefined]) {
          const status = await post(uri, signWebhook({ id, body, secret, now: now() }), body)
          statuses.push(status)
          if ((status >= 200 && status < 300) || delayMs === undefined) break
          await sleep(delayMs)
        }
      }
    },
  }
}

/** The headers of a signed call. */
export function signWebhook(call: { id: string; body: string; secret: string; now: number }): Record<string, string> {
  const timestamp = String(Math.floor(call.now / 1000))
  const key = Buffer.from(call.secret.replace(/^whsec_/, ''), 'base64')
  const signature = createHmac('sha256', key).update(`${call.id}.${timestamp}.${call.body}`).digest('base64')
  return {
    'content-type': 'application/json',
    'webhook-id': call.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  }
}
