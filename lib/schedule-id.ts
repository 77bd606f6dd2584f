import { createHash } from 'node:crypto'

/** What a tick of a schedule asks for once: the same three make the same job, however often the tick is delivered. */
export type Tick = { scheduleArn: string; plannedAt: number; item: string }

const ID = /^sch-(\d{1,15})-[0-9a-f]{32}$/

/** The id of a job that a schedule starts. The planned time stands in it, so it travels wherever the id does. */
export function toScheduleId({ scheduleArn, plannedAt, item }: Tick): string {
  const digest = createHash('sha256')
    .update(JSON.stringify(['schedule', scheduleArn, plannedAt, item]))
    .digest('hex')
  return `sch-${plannedAt}-${digest.slice(0, 32)}`
}

/** When the schedule wanted this job, in epoch milliseconds; `undefined` for a job that no schedule started. */
export function readPlannedAt(id: string): number | undefined {
  const digits = ID.exec(id)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
