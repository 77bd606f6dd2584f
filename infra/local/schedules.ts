import { Cron } from 'croner'
import type { Clock } from './clock.ts'
import { accountId, region } from './template.ts'

/** A schedule of EventBridge Scheduler: when to start which function, with what. */
export type Schedule = {
  name: string
  functionName: string
  /** `rate(5 minutes)` or `cron(0 6 * * ? *)`, as EventBridge Scheduler takes them. */
  expression: string
  /** @default 'UTC' */
  timeZone?: string
  /** The event; the placeholders `<aws.scheduler.schedule-arn>` and `<aws.scheduler.scheduled-time>` are filled in. */
  input: unknown
}

export type Schedules = { close(): Promise<void> }

export type SchedulesOptions = {
  schedules: readonly Schedule[]
  clock: Clock
  invoke(functionName: string, event: unknown): Promise<{ ok: boolean }>
  /** Told of what went wrong; the schedule goes on. */
  onError?(error: unknown): void
}

/** Lambda gives an event two more tries, after one and two minutes. */
const RETRY_DELAYS_MS = [60_000, 120_000]
/** Node's timers overflow after 24 days. */
const LONGEST_SLEEP_MS = 24 * 3_600_000

/** Rings each schedule on the stack's clock, until it is closed. An expression that AWS would refuse throws at once. */
export function startSchedules({ schedules, clock, invoke, onError = () => {} }: SchedulesOptions): Schedules {
  const stop = new AbortController()

  async function ring(schedule: Schedule, plannedAt: number): Promise<void> {
    const event = fillIn(schedule, plannedAt)
    for (const delayMs of [...RETRY_DELAYS_MS, undefined]) {
      if ((await invoke(schedule.functionName, event)).ok || delayMs === undefined) return
      await clock.sleep(delayMs, stop.signal)
    }
  }

  async function run(schedule: Schedule, next: Next): Promise<void> {
    let plannedAt = next(clock.now())
    while (plannedAt !== undefined) {
      while (clock.now() < plannedAt)
        await clock.sleep(Math.min(plannedAt - clock.now(), LONGEST_SLEEP_MS * clock.factor), stop.signal)
      ring(schedule, plannedAt).catch(error => stop.signal.aborted || onError(error))
      plannedAt = next(plannedAt)
    }
  }

  const running = schedules
    .map(schedule => [schedule, toNext(schedule)] as const)
    .map(([schedule, next]) => run(schedule, next).catch(error => stop.signal.aborted || onError(error)))
  return {
    async close() {
      stop.abort()
      await Promise.all(running)
    },
  }
}

/** The first time after `time`, in epoch milliseconds; `undefined` where there is none any more. */
type Next = (time: number) => number | undefined

const UNIT_MS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

/** When a schedule rings. */
export function toNext({ expression, timeZone = 'UTC' }: Pick<Schedule, 'expression' | 'timeZone'>): Next {
  const [, count = '', unit = ''] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? []
  const everyMs = Number(count) * (UNIT_MS[unit] ?? 0)
  if (everyMs > 0) return time => time + everyMs
  const fields = /^cron\((\S+ \S+ \S+ \S+ \S+ \S+)\)$/.exec(expression)?.[1]
  if (!fields)
    throw new Error(`schedule expression ${expression}: expected rate(<number> <unit>) or cron(<six fields>)`)
  // AWS counts weekdays from Sunday = 1, takes 0/15 as a step, and has no seconds.
  const cron = new Cron(`0 ${fields}`, {
    timezone: timeZone,
    alternativeWeekdays: true,
    sloppyRanges: true,
    paused: true,
  })
  return time => cron.nextRun(new Date(time))?.getTime()
}

function fillIn({ name, input }: Schedule, plannedAt: number): unknown {
  const values: Readonly<Record<string, string>> = {
    'schedule-arn': `arn:aws:scheduler:${region}:${accountId}:schedule/default/${name}`,
    'scheduled-time': new Date(plannedAt).toISOString().replace(/\.\d+Z$/, 'Z'),
  }
  const filled = JSON.stringify(input ?? {}).replace(/<aws\.scheduler\.([a-z-]+)>/g, (text, key) => values[key] ?? text)
  return JSON.parse(filled)
}
