import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'

/** A registered webhook's call that bears Google's signature. */
type WebhookCall = { id: string; batchName: string }

/** Both ways; what is older was recorded by somebody (Standard Webhooks). */
const TOLERANCE_MS = 300_000

const Body = z.object({ type: z.string(), data: z.object({ id: z.string() }) })

/** Checks a call over its raw body (Standard Webhooks: `webhook-id`, `-timestamp`, `-signature`); `undefined` for any that is not Google's. */
export function readWebhook(
  headers: Readonly<Record<string, string | undefined>>,
  rawBody: Buffer,
  secret: string,
  now: number,
): WebhookCall | undefined {
  const id = headers['webhook-id']
  const timestamp = headers['webhook-timestamp'] ?? ''
  const signatures = headers['webhook-signature'] ?? ''
  if (!id || id.length > 200 || !/^\d{1,12}$/.test(timestamp)) return undefined
  if (Math.abs(now - Number(timestamp) * 1000) > TOLERANCE_MS) return undefined
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  if (key.length === 0) return undefined
  const signed = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(rawBody).digest()
  const isGoogles = signatures.split(' ').some(signature => {
    const given = Buffer.from(signature.replace(/^v1,/, ''), 'base64')
    return signature.startsWith('v1,') && given.length === signed.length && timingSafeEqual(given, signed)
  })
  return isGoogles ? readBody(id, rawBody) : undefined
}

function readBody(id: string, rawBody: Buffer): WebhookCall | undefined {
  try {
    const body = Body.safeParse(JSON.parse(rawBody.toString()))
    if (!body.success) return undefined
    const name = body.data.data.id
    return { id, batchName: name.startsWith('batches/') ? name : `batches/${name}` }
  } catch {
    return undefined
  }
}
