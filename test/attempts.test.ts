import { expect, test } from 'vitest'
import { mayBeBilled, record, refuseEndless, type Tally } from '../lib/attempts.ts'

const tally = (calls: number, ended: number, unanswered: number): Tally => ({ calls, ended, unanswered, attempts: [] })

test.each([
  ['reply', 0],
  ['ERR_GEMINI_RATE', 0],
  ['ERR_INTERNAL', 0],
  ['ERR_GEMINI_TIMEOUT', 1],
  ['ERR_GEMINI_BROKE_OFF', 1],
  ['ERR_BATCH_ROW_LOST', 1],
  ['lost', 1],
])('a call that ended with %s adds %i to those that may be billed for nothing', (outcome, unanswered) => {
  const count = tally(1, 0, 0)
  const attempt = { attempt: 1, at: '2026-11-21T20:00:00.000Z', ms: 20_000, outcome }
  record(count, attempt)
  expect(count).toEqual({ calls: 1, ended: 1, unanswered, attempts: [attempt] })
  expect(mayBeBilled(outcome)).toBe(unanswered === 1)
})

test.each([
  ['four kills', tally(4, 0, 0)],
  ['a thousand refusals and four answers that broke off', tally(1000, 1000, 4)],
])('%s end no job', (_, count) => {
  expect(() => refuseEndless(count)).not.toThrow()
})

test.each([
  ['five kills', tally(5, 0, 0), '5 calls ended without an answer that could be kept, 5 of them with their function'],
  [
    'two kills and three lost answers',
    tally(9, 7, 3),
    '5 calls ended without an answer that could be kept, 2 of them with their function',
  ],
])('%s end the job', (_, count, message) => {
  expect(() => refuseEndless(count)).toThrow(expect.objectContaining({ code: 'ERR_GEMINI_NO_ANSWER', message }))
})
