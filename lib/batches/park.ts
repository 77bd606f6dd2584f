import { reserve, settle } from '../admission.ts'
import type { Parking } from '../aws/parking.ts'
import { estimateRow } from '../batch-settings.ts'
import { buildLine } from '../gemini/batch-file.ts'
import { type Brought, buildQuestion } from '../material.ts'
import type { Plan } from '../plan.ts'
import type { Tray } from '../replies.ts'

/** Lines that wait for a batch, by model; then the manifests of batches that are not over, and of those that are. */
export const OPEN = 'batches/open/'
export const LIVE = 'batches/live/'
export const OVER = 'batches/over/'

export function lineKey(model: string, id: string): string {
  return `${OPEN}${model}/${id}`
}

/** Model and job of a parked line, or `undefined` for another object. */
export function readLineKey(key: string): { model: string; id: string } | undefined {
  const [, model, id] = /^batches\/open\/([^/]+)\/([^/]+)$/.exec(key) ?? []
  return model && id ? { model, id } : undefined
}

/**
 * Parks the job's request, the very bytes that a call of its own would send, and hands the job to the batch lane. The line
 * comes first: who dies in between parks it again under the same key, and nobody takes a line whose row does not name it.
 */
export async function parkLine(
  { parking }: { parking: Parking },
  tray: Tray,
  plan: Plan,
  brought: Brought,
  { prefix, source, recipe }: { prefix: string; source?: string; recipe?: string },
): Promise<void> {
  const { claim, storage, resultsBucket } = tray
  const { job, modelId, model, prompt } = plan
  const inputs = brought.inputs.map(input => input.facts)
  const hold = await reserve(tray, plan, 'batch')
  const line = lineKey(modelId, claim.id)
  const body = await buildLine(claim.id, buildQuestion(plan, brought))
  await storage.write(resultsBucket, line, body, { contentType: 'application/jsonl' })
  const wish = { inputs: inputs.length, promptBytes: Buffer.byteLength(prompt), imageSize: job.imageConfig?.imageSize }
  const parked = { line, job: JSON.stringify(job), inputs, prefix, source, recipe }
  // A day's hold on a budget is for calls: a batch's money counts as spent, by its estimate. Before the row is parked, for no row
  // names the hold, and nobody would settle that of a death in between; a job that parks again counts twice rather than not at all.
  await settle(tray, hold, (hold?.microUsd ?? 0) / 1e6)
  await parking.park(claim, { ...parked, ...estimateRow(model, wish) })
}
