import type { BatchRow } from '../aws/batch-rows.ts'
import { EditError } from '../errors.ts'
import type { BatchDesk } from './desk.ts'

/**
 * Cancels a batch for a person: what Google has answered by then still counts, every other job of it fails with
 * `ERR_BATCH_CANCELLED`. Resolves to the batch, or `undefined` where there is none of that id. One that is over stays so.
 */
export async function cancelBatch(
  desk: Pick<BatchDesk, 'batches' | 'google' | 'queueBatch'>,
  id: string,
): Promise<BatchRow | undefined> {
  const { batches, google, queueBatch } = desk
  const row = await batches.read(id)
  if (!row || row.step === 'ended' || row.step === 'collected') return row
  await batches.askToCancel(row, 'operator')
  if (row.name) {
    await google.cancel(row.name).catch((error: unknown) => {
      // Over by now, or out of reach: the collector looks again, and cancels where there is something to cancel.
      if (!(error instanceof EditError)) throw error
    })
    await queueBatch(id)
  }
  return row
}
