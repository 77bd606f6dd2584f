import { createHash } from 'node:crypto'
import type { z } from 'zod'
import type { Job } from './job.ts'

/** What a tick of a schedule asks for once: the same three make the same job, however often the tick is delivered. */
type Tick = { scheduleArn: string; plannedAt: number; item: string }

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

/** Reads the JSON at an `s3://` address. */
export type ReadJson = (uri: string) => Promise<unknown>

/** One job of an order. `item` tells it from the others; the job's id is made of it. */
export type Task = { item: string; toJob: (readJson: ReadJson) => Promise<z.input<typeof Job>> }
