import { createApp } from '../lib/app.ts'

/** S3's upload notices, by way of the uploads queue → edits. Answers with the messages that stay. */
export const handler = createApp(process.env).upload
