import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Constant, so that a session goes on after the stand-in was started anew. It guards nothing. */
const KEY = 'darkroom stand-in'
const SEAL_BYTES = 32

/** A signature of `sizeBytes` over a part's content, good for this model only, since Google's don't survive a change of model. */
export function sign(model: string, content: string | Buffer, sizeBytes: number): string {
  const filler = randomBytes(Math.max(sizeBytes - SEAL_BYTES, SEAL_BYTES))
  return Buffer.concat([filler, seal(model, content, filler)]).toString('base64')
}

/** Whether this signature was given for just this content by this model, and came back unchanged. */
export function isSignedBy(model: string, content: string | Buffer, signature: string): boolean {
  const bytes = Buffer.from(signature, 'base64')
  if (bytes.length < 2 * SEAL_BYTES) return false
  const filler = bytes.subarray(0, -SEAL_BYTES)
  return timingSafeEqual(bytes.subarray(-SEAL_BYTES), seal(model, content, filler))
}

function seal(model: string, content: string | Buffer, filler: Buffer): Buffer {
  const digest = createHash('sha256').update(content).digest()
  return createHmac('sha256', KEY).update(model).update(digest).update(filler).digest()
}
