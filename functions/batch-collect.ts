import { createApp } from '../lib/app.ts'

/** SQS messages of the batches queue → results of the batches named. Answers with the messages that stay. */
export const handler = createApp(process.env).batchCollect
