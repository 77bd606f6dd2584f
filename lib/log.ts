import { Logger } from '@aws-lambda-powertools/logger'
import { toMetricFields } from './metrics.ts'

/** One JSON line an event: the message a short constant, the rest fields. Never bytes, keys or anybody's prompt. */
export type Log = {
  /** It is over. */
  info: (message: string, fields: Record<string, unknown>) => void
  /** Time mends it. */
  warn: (message: string, fields: Record<string, unknown>) => void
  /** A person should look. */
  error: (message: string, fields: Record<string, unknown>) => void
}

/** Lines that `metrics.ts` knows also count in this CloudWatch namespace. */
export function createLog(namespace: string, now: () => number = Date.now): Log {
  const logger = new Logger({ serviceName: 'darkroom' })
  const write = (level: 'info' | 'warn' | 'error') => (message: string, fields: Record<string, unknown>) =>
    logger[level](message, { ...toPlain(fields), ...toMetricFields(namespace, { level, message, fields, now: now() }) })
  return { info: write('info'), warn: write('warn'), error: write('error') }
}

const LONGEST_TEXT = 4000

/** Fields as a line may show them. Errors become name, message and stack: what else hangs on them may be a request. */
export function toPlain<T>(value: T): T
export function toPlain(value: unknown): unknown {
  if (typeof value === 'string') return toPlainText(value)
  if (value instanceof Error) {
    const { name, message, stack = '', cause } = value
    // The stack begins with the message; each is made plain, but only the message says it.
    const frames = stack.slice(Math.max(0, stack.indexOf('\n    at ')))
    return {
      name,
      message: toPlainText(message),
      stack: toPlainText(frames),
      ...(cause ? { cause: toPlain(cause) } : {}),
    }
  }
  if (Array.isArray(value)) return value.map(toPlain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toPlain(inner)]))
}

/**
 * Text that an uploader may have chosen, as a key or a slot's name: what moves a terminal's cursor or turns its writing round is
 * spelled out, and JSON's own complaint is cut before it quotes what it could not read.
 */
function toPlainText(text: string): string {
  return text
    .toWellFormed()
    .replace(/(?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON/s, 'it is not valid JSON')
    .replace(/(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/gu, character => `\\u{${character.codePointAt(0)?.toString(16)}}`)
    .slice(0, LONGEST_TEXT)
}
