import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Code, EditError } from '../lib/errors.ts'
import { backoffMs, type RetryOptions, retry } from '../lib/retry.ts'
import { caught } from './helpers/caught.ts'

const fault = (code: Code, retryAfterMs?: number) => new EditError(code, 'it happened', { retryAfterMs })

/** Fails with each error in turn, then succeeds; says how often it was called and how long was waited. */
async function run(errors: unknown[], options: RetryOptions = {}) {
  const waits: number[] = []
  let calls = 0
  const attempt = async () => {
    const error = errors[calls++]
    if (error !== undefined) throw error
    return 'reply'
  }
  const sleep = async (ms: number) => void waits.push(ms)
  const ending = await retry(attempt, { sleep, random: () => 0.5, ...options }).catch((error: unknown) => error)
  return { ending, calls, waits }
}

test('what succeeds is called once', async () => {
  expect(await run([])).toEqual({ ending: 'reply', calls: 1, waits: [] })
})

test('time mends a wait', async () => {
  const trouble = fault('ERR_GEMINI_UNAVAILABLE')
  expect(await run([trouble, trouble, trouble])).toEqual({ ending: 'reply', calls: 4, waits: [500, 1000, 2000] })
})

describe('what time does not mend is thrown at once, as it is', () => {
  test.each([
    fault('ERR_JOB_INVALID'),
    fault('ERR_GEMINI_REQUEST', 1000),
    fault('ERR_GEMINI_KEY', 1000),
    fault('ERR_AWS_FORBIDDEN'),
    new TypeError('a bug'),
    'a string',
  ])('%s', async error => {
    expect(await run([error])).toEqual({ ending: error, calls: 1, waits: [] })
  })
})

describe('five calls are enough', () => {
  const trouble = Array.from({ length: 20 }, () => fault('ERR_GEMINI_UNAVAILABLE'))
  test('where nobody says another number', async () => {
    const { ending, calls, waits } = await run(trouble)
    expect([ending, calls, waits.length]).toEqual([trouble[4], 5, 4])
  })
  test.each([1, 2, 9])('or %d, where somebody does', async tries => {
    const { ending, calls, waits } = await run(trouble, { tries })
    expect([ending, calls, waits.length]).toEqual([trouble[tries - 1], tries, tries - 1])
  })
})

describe('the wait that the server asks for is obeyed', () => {
  test.each([
    [0, 7200],
    [0.5, 7560],
    [0.999, 7920],
  ])('and up to a tenth more, at %d of chance', async (chance, waited) => {
    const { ending, waits } = await run([fault('ERR_GEMINI_RATE', 7200)], { random: () => chance })
    expect([ending, waits]).toEqual(['reply', [waited]])
  })

  test('it does not grow with the tries', async () => {
    const slow = fault('ERR_GEMINI_RATE', 2000)
    expect((await run([slow, slow, slow], { random: () => 0 })).waits).toEqual([2000, 2000, 2000])
  })

  test('one that is longer than a function should sleep is thrown, for the queue to wait', async () => {
    const slow = fault('ERR_GEMINI_RATE', 47_000)
    expect(await run([slow])).toEqual({ ending: slow, calls: 1, waits: [] })
    expect((await run([slow], { longestWaitMs: 60_000 })).waits).toHaveLength(1)
  })
})

describe('a wait that does not fit into the time that is left is thrown', () => {
  test('by the time as it is then', async () => {
    const left = [10_000, 600]
    const trouble = fault('ERR_GEMINI_UNAVAILABLE')
    const outcome = await run([trouble, trouble, trouble], { timeLeftMs: () => left.shift() ?? 0 })
    expect(outcome).toEqual({ ending: trouble, calls: 2, waits: [500] })
  })
  test('also when the server asks for it', async () => {
    const slow = fault('ERR_GEMINI_RATE', 5000)
    expect((await run([slow], { timeLeftMs: () => 4999, random: () => 0 })).ending).toBe(slow)
    expect((await run([slow], { timeLeftMs: () => 5000, random: () => 0 })).ending).toBe('reply')
  })
})

test('whoever listens hears of each wait before it begins', async () => {
  const heard: [string, number][] = []
  const trouble = fault('ERR_AWS_UNAVAILABLE')
  await run([trouble, trouble], { onWait: (error, delayMs) => heard.push([error.code, delayMs]) })
  expect(heard).toEqual([
    ['ERR_AWS_UNAVAILABLE', 500],
    ['ERR_AWS_UNAVAILABLE', 1000],
  ])
})

test('jitter is full, doubles, and never passes half a minute', async () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  await fc.assert(
    fc.asyncProperty(chance, async random => {
      const errors = Array.from({ length: 9 }, () => fault('ERR_GEMINI_UNAVAILABLE'))
      const { waits } = await run(errors, { tries: 10, random: () => random })
      const highest = [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]
      expect(waits).toEqual(highest.map(most => Math.round(most * random)))
    }),
  )
})

test('without a given sleep it really waits', async () => {
  const error = await caught(() =>
    retry(() => Promise.reject(fault('ERR_GEMINI_UNAVAILABLE')), { tries: 2, baseMs: 2, random: () => 0.9 }),
  )
  expect(error).toMatchObject({ code: 'ERR_GEMINI_UNAVAILABLE' })
})

describe('the wait between functions', () => {
  test.each([
    [1, 5_000, 10_000],
    [2, 10_000, 20_000],
    [3, 20_000, 40_000],
    [7, 320_000, 640_000],
    [8, 450_000, 900_000],
    [1000, 450_000, 900_000],
  ])('after try %d: %d to %d ms', (tried, least, most) => {
    expect(backoffMs(tried, () => 0)).toBe(least)
    expect(backoffMs(tried, () => 0.999999999)).toBe(most)
  })
})
