import type { BatchRow } from '../aws/batch-rows.ts'
import type { BatchDesk } from './desk.ts'

/**
 * Cancels a batch for a person: what Google has answered by then still counts, every other job of it fails with
 * `ERR_BATCH_CANCELLED`. Resolves to the batch, or `undefined` where there is none of that id. One that is over stays so. It is
 * the functions that tell Google, so that whoever cancels needs no key.
 */
export async function cancelBatch(
  { batches, queueBatch }: Pick<BatchDesk, 'batches' | 'queueBatch'>,
  id: string,
): Promise<BatchRow | undefined> {
  const row = await batches.read(id)
  if (!row || row.step === 'ended' || row.step === 'collected') return row
  await batches.askToCancel(row, 'operator')
  if (row.name) await queueBatch(id)
  return row
}
