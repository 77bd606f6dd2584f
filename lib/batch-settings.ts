import { z } from 'zod'
import type { ImageSize, Model } from './models.ts'

/** What a batch may weigh, so that it can always be sent and fetched back, and when its jobs leave the lane. */
export const BatchSettings = z.strictObject({
  /** Jobs in one batch. */
  rows: z.int().positive().max(50_000),
  /** Google takes 2 GB a file. */
  fileBytes: z.int().positive().max(2_000_000_000),
  /** Estimated bytes of one batch's result file. */
  replyBytes: z.number().positive(),
  /** Estimated tokens of a model that may be on their way at once: Google's limit depends on the account's tier. */
  tokens: z.number().positive(),
  /** Batches on their way at once; Google takes 100 a project. */
  live: z.int().positive().max(100),
  /** Batches that a job is tried in before it goes by the `now` lane. */
  tries: z.int().positive(),
  /** A batch that Google has not ended after this many hours is cancelled, and its jobs go by the `now` lane. */
  stuckHours: z.number().positive(),
})
export type BatchSettings = z.infer<typeof BatchSettings>

/** Google's limits as documented in 2026-11; tokens are those of the smallest paid tier. */
export const DEFAULT_BATCH_SETTINGS: BatchSettings = {
  rows: 10_000,
  fileBytes: 2_000_000_000,
  replyBytes: 2_000_000_000,
  tokens: 2_000_000,
  live: 90,
  tries: 2,
  stuckHours: 36,
}

/** Bytes of a reply's row: picture and signature in base64, as recorded for 1K and scaled by pixels, with room. */
const REPLY_BYTES: Readonly<Record<ImageSize, number>> = { '512': 2e6, '1K': 5e6, '2K': 14e6, '4K': 40e6 }

/** What a job will weigh in a batch, before it is sent. */
export function estimateRow(
  model: Model,
  wish: { inputs: number; promptBytes: number; imageSize?: ImageSize },
): { tokens: number; replyBytes: number } {
  const tokens = wish.inputs * model.inputImageTokens + Math.ceil(wish.promptBytes / 3)
  return { tokens, replyBytes: REPLY_BYTES[wish.imageSize ?? '1K'] }
}
