import { createApp } from '../lib/app.ts'

/** Google's webhook, at a function URL → the batches queue. Answers with a status code and nothing else. */
export const handler = createApp(process.env).webhook
