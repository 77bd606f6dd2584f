import { createApp } from '../lib/app.ts'

/** A schedule's order, from EventBridge Scheduler → a job an item on the jobs queue. */
export const handler = createApp(process.env).schedule
