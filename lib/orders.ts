import { z } from 'zod'
import { EditError } from './errors.ts'
import { describeFaults } from './job.ts'
import { type ReadJson, type Task, toScheduleId } from './tick.ts'
import { toWeatherTasks, WeatherOrder } from './weather.ts'

/** One kind of order: the fields that it adds, and the jobs that it comes to on a day (YYYY-MM-DD where its clock hangs). */
type Kind = { fields: z.ZodType<object>; toTasks: (order: never, date: string) => Task[] }

/** The kinds of order that a schedule may send. */
const KINDS = {
  weather: { fields: WeatherOrder, toTasks: toWeatherTasks },
} as const satisfies Record<string, Kind>

const FILLED_IN = 'EventBridge Scheduler fills in <aws.scheduler.…>'

const Head = z.looseObject({
  kind: z.enum(Object.keys(KINDS) as (keyof typeof KINDS)[]),
  schedule: z.string().startsWith('arn:', `is no ARN; ${FILLED_IN}`),
  time: z.iso.datetime({ offset: true, error: `is no time; ${FILLED_IN}` }),
  timeZone: z.string().refine(isTimeZone, 'is no time zone like Europe/Oslo').default('UTC'),
})

type Order = { kind: keyof typeof KINDS; scheduleArn: string; plannedAt: number; tasks: Task[] }

/** The order in a schedule's event; `ERR_ORDER_INVALID` names every fault. */
export function parseOrder(event: unknown): Order {
  const head = Head.safeParse(event)
  if (!head.success) throw new EditError('ERR_ORDER_INVALID', `the order is not valid: ${describeFaults(head.error)}`)
  const { kind, schedule, time, timeZone, ...rest } = head.data
  const { fields, toTasks } = KINDS[kind]
  const order = fields.safeParse(rest)
  if (!order.success)
    throw new EditError('ERR_ORDER_INVALID', `the ${kind} order is not valid: ${describeFaults(order.error)}`)
  const plannedAt = Date.parse(time)
  return { kind, scheduleArn: schedule, plannedAt, tasks: toTasks(order.data, dayIn(timeZone, plannedAt)) }
}

/** Where an order's jobs come from and go to. */
type OrderDesk = { readJson: ReadJson; send: (body: string, id: string) => Promise<void> }

/**
 * Sends a job an item, under ids that a tick delivered twice makes again. An item that can't be made holds up no other: the
 * error that names it is thrown when the others are on their way.
 */
export async function placeOrder({ scheduleArn, plannedAt, tasks }: Order, desk: OrderDesk): Promise<string[]> {
  const readJson = once(desk.readJson)
  const outcomes = await Promise.allSettled(
    tasks.map(async ({ item, toJob }) => {
      const id = toScheduleId({ scheduleArn, plannedAt, item })
      await desk.send(JSON.stringify(await toJob(readJson)), id)
      return id
    }),
  )
  const reasons: unknown[] = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason] : []))
  const other = reasons.find(reason => !(reason instanceof EditError && reason.remedy === 'change'))
  if (other !== undefined) throw other
  if (reasons.length > 0) {
    const faults = reasons.map(reason => (reason as EditError).message).join('; ')
    throw new EditError('ERR_ORDER_FACTS', `${reasons.length} of ${tasks.length} jobs were not sent: ${faults}`)
  }
  return outcomes.flatMap(outcome => (outcome.status === 'fulfilled' ? [outcome.value] : []))
}

/** Fifty places may share one forecast file. */
function once(readJson: ReadJson): ReadJson {
  const running = new Map<string, Promise<unknown>>()
  return uri => {
    const known = running.get(uri) ?? readJson(uri)
    running.set(uri, known)
    return known
  }
}

function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}

/** YYYY-MM-DD on the wall calendar of a time zone. */
function dayIn(timeZone: string, time: number): string {
  const parts = new Intl.DateTimeFormat('en', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  const at = Object.fromEntries(parts.formatToParts(time).map(({ type, value }) => [type, value]))
  return `${at.year}-${at.month}-${at.day}`
}
