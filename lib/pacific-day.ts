const DAY_MS = 24 * 3_600_000

const PACIFIC = new Intl.DateTimeFormat('en-US', {
  timeZone: 'America/Los_Angeles',
  hourCycle: 'h23',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
})

/** The day in California, YYYY-MM-DD: Google's quotas and bills turn there, so budgets turn with them. */
export function pacificDay(now: number): string {
  const { year, month, day } = partsOf(now)
  return `${year}-${month}-${day}`
}

/** Milliseconds until midnight in California. On the two days a year when clocks change, an hour early or late. */
export function untilMidnightPacific(now: number): number {
  const { hour, minute, second } = partsOf(now)
  return DAY_MS - (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000
}

function partsOf(now: number) {
  return Object.fromEntries(PACIFIC.formatToParts(now).map(({ type, value }) => [type, value])) as Record<
    'year' | 'month' | 'day' | 'hour' | 'minute' | 'second',
    string
  >
}
