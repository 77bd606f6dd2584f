import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EditError } from '../../lib/errors.ts'
import { readBadAnswer } from '../../lib/gemini/faults.ts'
import { untilMidnightPacific } from '../../lib/pacific-day.ts'

/** Saturday noon in California. */
const NOW = Date.parse('2026-11-21T20:00:00Z')
const HOUR = 3_600_000

type Wire = { code?: number; status?: string; message?: string; details?: object[] }

const answer = (status: number, error: Wire | string, retryAfter: string | null = null) =>
  readBadAnswer({ status, retryAfter, body: typeof error === 'string' ? error : JSON.stringify({ error }) }, NOW)

const keyInvalid = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }
const quota = (quotaId: string, quotaValue: string) => ({
  '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
  violations: [{ quotaId, quotaValue }],
})
const retryIn = (retryDelay: string) => ({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay })

describe('what Google answers, and whose move it is', () => {
  test.each<[string, number, Wire | string, string, string]>([
    ['a wrong key', 400, { status: 'INVALID_ARGUMENT', details: [keyInvalid] }, 'ERR_GEMINI_KEY', 'repair'],
    ['no key', 401, { status: 'UNAUTHENTICATED' }, 'ERR_GEMINI_KEY', 'repair'],
    [
      'a file that is gone, or another’s',
      403,
      {
        status: 'PERMISSION_DENIED',
        message: 'You do not have permission to access the File abc or it may not exist.',
      },
      'ERR_GEMINI_FILE_LOST',
      'wait',
    ],
    ['a leaked or restricted key', 403, { status: 'PERMISSION_DENIED' }, 'ERR_GEMINI_KEY', 'repair'],
    ['no billing, or a country', 400, { status: 'FAILED_PRECONDITION' }, 'ERR_GEMINI_ACCOUNT', 'repair'],
    ['a faulty request', 400, { status: 'INVALID_ARGUMENT' }, 'ERR_GEMINI_REQUEST', 'change'],
    ['a request that is too large', 413, 'too large', 'ERR_GEMINI_REQUEST', 'change'],
    ['a retired model', 404, { status: 'NOT_FOUND' }, 'ERR_MODEL_GONE', 'change'],
    [
      'a spent day',
      429,
      { details: [quota('GenerateRequestsPerDayPerProject', '100')] },
      'ERR_GEMINI_QUOTA_DAY',
      'wait',
    ],
    ['a quota of nothing', 429, { details: [quota('GenerateRequestsPerDay', '0')] }, 'ERR_GEMINI_QUOTA_NONE', 'repair'],
    ['a quota of nothing a minute', 429, { details: [quota('PerMinute', '0')] }, 'ERR_GEMINI_QUOTA_NONE', 'repair'],
    ['a spent minute', 429, { details: [quota('PerMinute', '10'), retryIn('9s')] }, 'ERR_GEMINI_RATE', 'wait'],
    ['a bare 429', 429, {}, 'ERR_GEMINI_RATE', 'wait'],
    ['a 429 of a proxy', 429, '<html>slow down</html>', 'ERR_GEMINI_RATE', 'wait'],
    ['a time-out of Google’s', 408, {}, 'ERR_GEMINI_UNAVAILABLE', 'wait'],
    ['an inner error', 500, { status: 'INTERNAL' }, 'ERR_GEMINI_UNAVAILABLE', 'wait'],
    ['a bad gateway', 502, '<html>502</html>', 'ERR_GEMINI_UNAVAILABLE', 'wait'],
    ['an overload', 503, { status: 'UNAVAILABLE' }, 'ERR_GEMINI_UNAVAILABLE', 'wait'],
    ['a deadline', 504, { status: 'DEADLINE_EXCEEDED' }, 'ERR_GEMINI_UNAVAILABLE', 'wait'],
  ])('%s (%d)', (_, status, error, code, remedy) => {
    expect(answer(status, error)).toMatchObject({ code, remedy })
  })

  test('one that the list has not: Google’s own over 399 is the request’s fault, a stranger’s page is trouble', () => {
    expect(answer(418, { status: 'TEAPOT' }).code).toBe('ERR_GEMINI_REQUEST')
    expect(answer(418, '<html>I am a proxy</html>').code).toBe('ERR_GEMINI_UNAVAILABLE')
    expect(answer(404, '<html>nginx</html>').code).toBe('ERR_GEMINI_UNAVAILABLE')
    expect(answer(304, '').code).toBe('ERR_GEMINI_UNAVAILABLE')
  })
})

test('the 429 that was recorded', () => {
  const body =
    '{"error":{"code":429,"message":"You exceeded your current quota, … Please retry in 47.88s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel","quotaValue":"10"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"47s"}]}}'
  expect(answer(429, body)).toMatchObject({
    code: 'ERR_GEMINI_RATE',
    message: 'Gemini answers 429 RESOURCE_EXHAUSTED: You exceeded your current quota, … Please retry in 47.88s.',
    retryAfterMs: 47_880,
  })
})

test.each([
  ['limit: 0, model: gemini-2.5-flash-preview-image\nPlease retry in 20.04s.', 'ERR_GEMINI_QUOTA_NONE'],
  ['limit: 0', 'ERR_GEMINI_QUOTA_NONE'],
  ['limit: 0.5, model: x', 'ERR_GEMINI_QUOTA_DAY'],
  ['limit: 100, model: x', 'ERR_GEMINI_QUOTA_DAY'],
])('a model that the free tier never grants is no matter of waiting: %j', (limit, code) => {
  const message = `You exceeded your current quota. * Quota exceeded for metric: free_tier_requests, ${limit}`
  const violations = [{ quotaId: 'GenerateRequestsPerDayPerProjectPerModel-FreeTier' }]
  expect(answer(429, { message, details: [{ violations }] }).code).toBe(code)
})

describe('the wait that Google asks for', () => {
  test.each<[string, Wire, string | null, number | undefined]>([
    ['in RetryInfo', { details: [retryIn('47s')] }, null, 47_000],
    ['in RetryInfo, with a fraction', { details: [retryIn('7.250s')] }, null, 7250],
    ['in the text', { message: 'Please retry in 7.2s.' }, null, 7200],
    ['in the text, in milliseconds', { message: 'Please retry in 820.5ms.' }, null, 820.5],
    ['in the text, in minutes', { message: 'Please retry in 2m.' }, null, 120_000],
    ['in the text, in hours', { message: 'Please retry in 11h3m.' }, null, 39_600_000],
    ['in the header, in seconds', {}, '30', 30_000],
    ['in the header, as a date', {}, 'Sat, 21 Nov 2026 20:01:30 GMT', 90_000],
    ['in three places: the longest', { message: 'retry in 7.9s', details: [retryIn('7s')] }, '5', 7900],
    ['in three places: the header', { message: 'retry in 7.9s', details: [retryIn('7s')] }, '60', 60_000],
    ['nowhere', { message: 'Slow down.' }, null, undefined],
    [
      'in words that are no time',
      { message: 'Please retry in a moment.', details: [retryIn('soon')] },
      'later',
      undefined,
    ],
    ['as nothing, which would be asked in a circle', { details: [retryIn('0s')] }, '0', undefined],
    ['as a date that is over', {}, 'Sat, 21 Nov 2026 19:00:00 GMT', undefined],
    ['in a header that HTTP does not know', {}, '1.5', undefined],
  ])('%s', (_, error, retryAfter, delayMs) => {
    for (const status of [429, 503]) expect(answer(status, error, retryAfter).retryAfterMs).toBe(delayMs)
  })

  test('a spent day ends at midnight Pacific, whatever the text says', () => {
    const error = { message: 'Please retry in 7s.', details: [quota('GenerateRequestsPerDay', '100'), retryIn('7s')] }
    expect(answer(429, error).retryAfterMs).toBe(12 * HOUR)
  })
})

describe('midnight Pacific', () => {
  test.each([
    ['2026-11-21T20:00:00Z', 12 * HOUR, 'noon in winter'],
    ['2026-07-01T19:00:00Z', 12 * HOUR, 'noon in summer'],
    ['2026-11-21T07:59:59Z', 1000, 'a second before'],
    ['2026-11-21T08:00:00Z', 24 * HOUR, 'midnight itself'],
    ['2026-12-31T23:30:00Z', 8.5 * HOUR, 'the last day of the year'],
    ['2026-03-07T20:00:00Z', 12 * HOUR, 'the day before the clocks go forward'],
    ['2026-03-08T12:00:00Z', 19 * HOUR, 'the day on which they went'],
    ['2026-10-31T19:00:00Z', 12 * HOUR, 'the day before they go back'],
    ['2026-11-01T12:00:00Z', 20 * HOUR, 'the day on which they went'],
  ])('from %s: %d ms (%s)', (now, delayMs) => {
    expect(untilMidnightPacific(Date.parse(now))).toBe(delayMs)
  })

  test('is at most an hour off on the two days when clocks change, and never behind', () => {
    const days = [
      ['2026-03-08T08:00:00Z', '2026-03-09T07:00:00Z'],
      ['2026-11-01T07:00:00Z', '2026-11-02T08:00:00Z'],
    ].map(day => day.map(time => Date.parse(time)) as [number, number])
    for (const [begin, end] of days) {
      for (let now = begin; now < end; now += 10 * 60_000) {
        const delayMs = untilMidnightPacific(now)
        expect(delayMs).toBeGreaterThan(0)
        expect(Math.abs(now + delayMs - end)).toBeLessThanOrEqual(HOUR)
      }
    }
  })
})

describe('the message', () => {
  test('is Google’s, in short: a prompt that it quotes is cut', () => {
    const { message } = answer(400, { status: 'INVALID_ARGUMENT', message: `Invalid: ${'x'.repeat(10_000)}` })
    expect(message).toMatch(/^Gemini answers 400 INVALID_ARGUMENT: Invalid: x+…$/)
    expect(message.length).toBeLessThan(600)
  })
  test('says so where Google says nothing', () => {
    expect(answer(500, '').message).toBe('Gemini answers 500: no message')
  })
  test('is read from a list too, as streams answer', () => {
    expect(answer(503, JSON.stringify([{ error: { status: 'UNAVAILABLE', message: 'Overloaded.' } }])).message).toBe(
      'Gemini answers 503 UNAVAILABLE: Overloaded.',
    )
  })
})

describe('whatever a proxy answers, it is an error that says whose move it is', () => {
  test.each([
    'null',
    '"no"',
    '[]',
    '[null]',
    '{"error":null}',
    '{"error":"no"}',
    '{"error":{"details":{}}}',
    '{"error":{"details":"no"}}',
    '{"error":{"details":[null]}}',
    '{"error":{"details":[{"violations":[null],"retryDelay":5}]}}',
    '{"error":{"details":[{"violations":7,"reason":[]}]}}',
    '{"error":{"message":7,"status":{}}}',
  ])('%s', body => {
    expect(answer(429, body)).toMatchObject({ code: 'ERR_GEMINI_RATE', retryAfterMs: undefined })
  })

  test('any status with any body', () => {
    const error = fc.record(
      {
        message: fc.oneof(fc.string(), fc.jsonValue()),
        status: fc.jsonValue(),
        details: fc.oneof(
          fc.jsonValue(),
          fc.array(fc.dictionary(fc.constantFrom('violations', 'retryDelay', 'reason'), fc.jsonValue())),
        ),
      },
      { requiredKeys: [] },
    )
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      error.map(value => JSON.stringify({ error: value })),
    )
    fc.assert(
      fc.property(fc.integer({ min: 300, max: 599 }), body, fc.option(fc.string()), (status, text, retryAfter) => {
        const fault = answer(status, text, retryAfter)
        expect(fault).toBeInstanceOf(EditError)
        if (fault.retryAfterMs !== undefined) expect(fault.retryAfterMs).toBeGreaterThan(0)
      }),
    )
  })
})
