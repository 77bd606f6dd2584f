import { createApp } from '../lib/app.ts'

/** The clock → parked lines become batches, and batches on their way are looked after. */
export const handler = createApp(process.env).batchSubmit
