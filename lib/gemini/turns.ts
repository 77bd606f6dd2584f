import { createHash } from 'node:crypto'
import type { Content } from '@google/genai/web'

/**
 * The model's turn of a reply, just as it came: signatures, thoughts, and names that this version does not know. `sha256` is
 * that of the picture that the turn was kept for; `undefined` where the reply has no such picture.
 */
export function readModelTurn(reply: unknown, sha256: string): Content | undefined {
  const candidates = fieldOf(reply, 'candidates')
  if (!Array.isArray(candidates)) return undefined
  for (const candidate of candidates) {
    const content = fieldOf(candidate, 'content')
    const parts = fieldOf(content, 'parts')
    if (Array.isArray(parts) && parts.some(part => hashOfPicture(part) === sha256)) {
      return { role: 'model', ...(content as Content) }
    }
  }
  return undefined
}

function hashOfPicture(part: unknown): string | undefined {
  const data = fieldOf(fieldOf(part, 'inlineData') ?? fieldOf(part, 'inline_data'), 'data')
  if (typeof data !== 'string') return undefined
  return createHash('sha256').update(Buffer.from(data, 'base64')).digest('hex')
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
