import { ERRORS } from '../../lib/errors.ts'
import { toPlain } from '../../lib/log.ts'

/** What a person at a terminal wants to know of a function's log line: why a job waits, or that a message was none. */
export function explainLine(line: string): string | undefined {
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined // Lambda's own lines are no JSON
  }
  const { message, code, reason, delayMs } = fields
  const next = typeof delayMs === 'number' ? `; next try in ${Math.ceil(delayMs / 1000)} s` : ''
  const why = `${String(code)}: ${String(reason)}`
  if (message === 'message is no job') return `dead letter: ${why}`
  if (message === 'job met a bug') return `a bug: ${JSON.stringify(toPlain(fields.error)).slice(0, 300)}`
  if (message !== 'job waits' && message !== 'gate closed') return undefined
  const todo = typeof code === 'string' && Object.hasOwn(ERRORS, code) ? ERRORS[code as keyof typeof ERRORS].todo : ''
  return `waiting: ${why}${next}. ${todo}`
}

/** Tells each explanation once until it changes, so that a hundred waiting jobs say one sentence. */
export function createTeller(tell: (sentence: string) => void): (line: string) => void {
  const told = new Map<string, number>()
  return line => {
    const sentence = explainLine(line)
    if (sentence === undefined) return
    const kind = sentence.replace(/; next try in \d+ s/, '')
    if (Date.now() - (told.get(kind) ?? 0) < 30_000) return
    told.set(kind, Date.now())
    tell(sentence)
  }
}
