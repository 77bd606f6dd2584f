import { describe, expect, test } from 'vitest'
import { createClock } from '../../infra/local/clock.ts'
import { type Schedule, startSchedules, toNext } from '../../infra/local/schedules.ts'

const nextAfter = (expression: string, timeZone: string | undefined, time: string) => {
  const next = toNext({ expression, timeZone })(Date.parse(time))
  return next === undefined ? undefined : new Date(next).toISOString().replace('.000Z', 'Z')
}

describe('a schedule rings', () => {
  test.each<[string, string | undefined, string, string | undefined]>([
    ['rate(5 minutes)', undefined, '2026-11-21T04:00:00Z', '2026-11-21T04:05:00Z'],
    ['rate(1 hour)', undefined, '2026-11-21T04:30:00Z', '2026-11-21T05:30:00Z'],
    ['rate(2 days)', undefined, '2026-11-21T04:00:00Z', '2026-11-23T04:00:00Z'],
    ['cron(0 6 * * ? *)', undefined, '2026-11-21T04:00:00Z', '2026-11-21T06:00:00Z'],
    ['cron(0 6 * * ? *)', 'Europe/Oslo', '2026-11-21T04:00:00Z', '2026-11-21T05:00:00Z'],
    ['cron(0 6 * * ? *)', 'Europe/Oslo', '2026-11-21T05:00:00Z', '2026-11-22T05:00:00Z'],
    ['cron(0 6 * * ? *)', 'Europe/Oslo', '2026-06-21T00:00:00Z', '2026-06-21T04:00:00Z'],
    ['cron(0 6 ? * 2-6 *)', 'UTC', '2026-11-21T04:00:00Z', '2026-11-23T06:00:00Z'],
    ['cron(0 6 ? * MON-FRI *)', 'UTC', '2026-11-21T04:00:00Z', '2026-11-23T06:00:00Z'],
    ['cron(0 6 ? * 6#3 *)', 'UTC', '2026-11-21T04:00:00Z', '2026-12-18T06:00:00Z'],
    ['cron(0 6 L * ? *)', 'UTC', '2026-11-21T04:00:00Z', '2026-11-30T06:00:00Z'],
    ['cron(0/15 6 * * ? 2026-2027)', 'UTC', '2026-11-21T06:10:00Z', '2026-11-21T06:15:00Z'],
    ['cron(0 6 * * ? 2020)', 'UTC', '2026-11-21T04:00:00Z', undefined],
  ])('%s in %s after %s: %s', (expression, timeZone, time, expected) => {
    expect(nextAfter(expression, timeZone, time)).toBe(expected)
  })

  test.each(['cron(0 6 * * *)', 'rate(0 minutes)', 'rate(5 moons)', '0 6 * * *', 'cron(99 6 * * ? *)'])(
    'never where AWS would refuse it: %s',
    expression => {
      expect(() => toNext({ expression })).toThrow()
    },
  )
})

const input = { schedule: '<aws.scheduler.schedule-arn>', time: '<aws.scheduler.scheduled-time>', own: '<b>' }
const minutely: Schedule = { name: 'minutely', functionName: 'schedule', expression: 'rate(1 minute)', input }

test('each tick has the schedule’s ARN and its planned time, a minute of the stack’s clock apart', async () => {
  const clock = createClock(600)
  const events: Record<string, string>[] = []
  let enough = () => {}
  const three = new Promise<void>(resolve => {
    enough = resolve
  })
  const startedAt = clock.now()
  const schedules = startSchedules({
    schedules: [minutely],
    clock,
    invoke: async (_, event) => {
      if (events.push(event as Record<string, string>) === 3) enough()
      return { ok: true }
    },
  })
  await three
  await schedules.close()
  expect(events[0]).toMatchObject({
    schedule: 'arn:aws:scheduler:us-east-1:000000000000:schedule/default/minutely',
    own: '<b>',
  })
  const times = events.map(({ time = '' }) => Date.parse(time))
  expect(times[0]).toBeGreaterThanOrEqual(startedAt)
  expect([(times[1] ?? 0) - (times[0] ?? 0), (times[2] ?? 0) - (times[1] ?? 0)]).toEqual([60_000, 60_000])
})

test('an event that its function could not take comes twice more, and then no more', async () => {
  const clock = createClock(6000)
  const times: (string | undefined)[] = []
  let enough = () => {}
  const done = new Promise<void>(resolve => {
    enough = resolve
  })
  const schedules = startSchedules({
    schedules: [minutely],
    clock,
    invoke: async (_, event) => {
      times.push((event as { time?: string }).time)
      if (times.length > 20) enough()
      return { ok: false }
    },
  })
  await done
  await schedules.close()
  expect(times.filter(time => time === times[0])).toHaveLength(3)
})
