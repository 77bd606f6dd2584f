import { overQuota } from './faults.ts'

const MINUTE_MS = 60_000

/** Counts the calls that each model let in during the last minute, and refuses those over the limit with the time to wait. */
export function createLimiter(now: () => number, requestsPerMinute?: number) {
  let limit = requestsPerMinute
  const admitted = new Map<string, number[]>()

  return {
    setLimit(next: number | undefined): void {
      limit = next
    },
    admit(model: string): void {
      if (limit === undefined) return
      const at = now()
      const recent = (admitted.get(model) ?? []).filter(earlier => at - earlier < MINUTE_MS)
      const blocking = recent.at(-limit)
      if (blocking !== undefined) {
        const delayMs = blocking + MINUTE_MS - at
        const quotaId = 'GenerateRequestsPerMinutePerProjectPerModel'
        throw overQuota({ model, delayMs, quotaId, quotaValue: String(limit) })
      }
      admitted.set(model, [...recent, at])
    },
    clear: () => admitted.clear(),
  }
}
