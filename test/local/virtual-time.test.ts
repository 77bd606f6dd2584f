import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClock } from '../../infra/local/clock.ts'
import { type FixtureHost, startFixtureHost } from './fixture-host.ts'

const hourMs = 3_600_000
// Ten hours a second: a timer may fire a real millisecond early, which is 36 virtual seconds.
const clockFactor = 36_000
let host: FixtureHost

beforeAll(() => {
  host = startFixtureHost({ clock: createClock(clockFactor), timeoutMs: 100 * hourMs })
})
afterAll(() => host[Symbol.asyncDispose]())

test.each([
  'setTimeout',
  'setInterval',
  'promisified',
  'scheduler.wait',
  'AbortSignal.timeout',
  'timers/promises setTimeout',
  'timers/promises setInterval',
])('a function that waits an hour with %s has waited an hour by its own clock, and a tenth of a second', async way => {
  const began = performance.now()
  const outcome = await host.invoke('clocks', { way })
  expect(performance.now() - began).toBeLessThan(60_000)
  const { sleptMs = 0, remainingFellMs = 0, isDate } = (outcome.ok ? outcome.payload : {}) as Record<string, number>
  expect(sleptMs).toBeGreaterThan(hourMs - 40_000)
  expect(remainingFellMs).toBeGreaterThan(hourMs / 2)
  expect(isDate).toBe(true)
})

test('the clock of the stack and the clock of a function are one', async () => {
  const clock = createClock(clockFactor)
  await using shared = startFixtureHost({ clock, timeoutMs: 100 * hourMs })
  await shared.invoke('echo', {})
  const before = clock.now()
  const outcome = await shared.invoke('echo', {})
  const after = clock.now()
  const { nowMs } = (outcome.ok ? outcome.payload : {}) as { nowMs: number }
  expect(nowMs).toBeGreaterThanOrEqual(before - clockFactor)
  expect(nowMs).toBeLessThanOrEqual(after + clockFactor)
})

test('a clock that stands still or goes back is refused', () => {
  for (const factor of [0, -1, Number.NaN]) expect(() => createClock(factor)).toThrow('expected a number above 0')
})
