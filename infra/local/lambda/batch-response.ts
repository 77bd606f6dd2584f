/** Which messages of a batch a function reported as failed; all of them when its answer can't be understood. */
export function readFailedItems(payload: unknown, messageIds: readonly string[]): Set<string> {
  const all = new Set(messageIds)
  if (payload === null || payload === undefined) return new Set()
  if (typeof payload !== 'object' || Array.isArray(payload)) return all
  const { batchItemFailures = null } = payload as { batchItemFailures?: unknown }
  if (batchItemFailures === null) return new Set()
  if (!Array.isArray(batchItemFailures)) return all
  const failed = batchItemFailures.map(item => (item as { itemIdentifier?: unknown } | null)?.itemIdentifier)
  return failed.every(id => typeof id === 'string' && all.has(id)) ? new Set(failed as string[]) : all
}
