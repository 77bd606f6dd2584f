import { describe, expect, test } from 'vitest'
import { toPlain } from '../lib/log.ts'

describe('a line of the log', () => {
  test.each([
    ['a bell and an escape', 'a\u0007b\u001b[2Jc', 'a\\u{7}b\\u{1b}[2Jc'],
    ['a command of eight bits', 'a\u009b31mb', 'a\\u{9b}31mb'],
    ['writing that runs backwards', 'photo\u202egpj.exe', 'photo\\u{202e}gpj.exe'],
    ['a line separator', 'a\u2028b', 'a\\u{2028}b'],
    ['half a character', 'a\ud800b', 'a\ufffdb'],
    ['umlauts and pictures', 'Schöne Grüße 🖼', 'Schöne Grüße 🖼'],
  ])('shows a key with %s so that no terminal obeys it', (_, key, shown) => {
    expect(toPlain({ key, list: [key] })).toEqual({ key: shown, list: [shown] })
  })

  test('has an error with its causes, and nothing else that hangs on it', () => {
    const cause = Object.assign(new Error('deeper\u009b'), { $response: { body: 'a prompt' } })
    const error = Object.assign(new Error('on top', { cause }), { input: 'a prompt' })
    const shown = toPlain({ error }) as unknown as { error: Record<string, unknown> }
    expect(shown.error).toMatchObject({ name: 'Error', message: 'on top', cause: { message: 'deeper\\u{9b}' } })
    expect(shown.error.stack).toMatch(/^\n {4}at /)
    expect(JSON.stringify(shown)).not.toContain('a prompt')
  })

  test.each(['PROMPT of mine {', '{"a": PROMPT of mine and more of it', '{"a":"b"} PROMPT of mine'])(
    'does not quote the words that were no JSON: %s',
    words => {
      const error = (() => {
        try {
          return JSON.parse(words)
        } catch (fault) {
          return fault
        }
      })()
      expect(JSON.stringify(toPlain({ error }))).not.toMatch(/PROMPT|mine/)
    },
  )

  test('ends', () => {
    expect(toPlain('x'.repeat(1e6))).toHaveLength(4000)
  })
})
