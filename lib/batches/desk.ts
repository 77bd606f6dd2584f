import type { BatchRow, BatchRows } from '../aws/batch-rows.ts'
import type { Parking } from '../aws/parking.ts'
import type { RecipeBucket } from '../aws/recipe-bucket.ts'
import type { Storage } from '../aws/storage.ts'
import type { GeminiBatches } from '../gemini/batches.ts'
import type { Log } from '../log.ts'
import { LIVE } from './park.ts'

/** What the functions of the batch lane work with. */
export type BatchDesk = {
  batches: BatchRows
  parking: Parking
  storage: Storage
  recipes: RecipeBucket
  google: GeminiBatches
  resultsBucket: string
  /** Puts a batch on the batches queue. */
  queueBatch: (id: string) => Promise<void>
  now: () => number
  log: Log
}

/** One job of a batch, a line of its manifest. */
export type Member = { id: string; line: string; sizeBytes: number }

export function manifestKey(id: string): string {
  return `${LIVE}${id}.jsonl`
}

/** Ids of all batches that are not over: their manifests are listed, so none is overlooked that was ever begun. */
export async function listLive({ storage, resultsBucket }: BatchDesk): Promise<string[]> {
  const ids: string[] = []
  for await (const { key } of storage.scan(resultsBucket, LIVE)) {
    const id = /^batches\/live\/([^/]+)\.jsonl$/.exec(key)?.[1]
    if (id) ids.push(id)
  }
  return ids
}

/** A manifest's first line, the batch as it was planned, for a batch whose row was never written; then its members. */
export async function* readManifest(
  { storage, resultsBucket }: Pick<BatchDesk, 'storage' | 'resultsBucket'>,
  id: string,
): AsyncGenerator<BatchRow | Member> {
  const body = await storage.open(`s3://${resultsBucket}/${manifestKey(id)}`)
  if (!body) return
  let rest = ''
  for await (const chunk of body.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield JSON.parse(line) as BatchRow | Member
  }
}

export async function* membersOf(
  desk: Pick<BatchDesk, 'storage' | 'resultsBucket'>,
  id: string,
): AsyncGenerator<Member> {
  for await (const entry of readManifest(desk, id)) if ('line' in entry) yield entry
}

/** Runs `work` for each item, a few at a time; the first error ends it. */
export async function inGroups<T>(
  items: AsyncIterable<T>,
  size: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let group: Promise<void>[] = []
  for await (const item of items) {
    group.push(work(item))
    if (group.length < size) continue
    await Promise.all(group)
    group = []
  }
  await Promise.all(group)
}
