import { createApp } from '../lib/app.ts'

/** SQS messages of the jobs queue → edits. Answers with the messages that stay. */
export const handler = createApp(process.env).job
