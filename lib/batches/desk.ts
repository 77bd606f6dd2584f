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
  /** Puts a batch on the batches queue, to be seen after a delay of 900 s at most. */
  queueBatch: (id: string, delayMs?: number) => Promise<void>
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

/** So much of a manifest is held at a time. Asked for as it is needed: S3 hangs up on who leaves a stream unread for seconds. */
const PIECE_BYTES = 64 * 1024

/** A manifest's first line, the batch as it was planned, for a batch whose row was never written; then its members. */
export async function* readManifest(
  { storage, resultsBucket }: Pick<BatchDesk, 'storage' | 'resultsBucket'>,
  id: string,
): AsyncGenerator<BatchRow | Member> {
  const uri = `s3://${resultsBucket}/${manifestKey(id)}`
  const sizeBytes = (await storage.head(uri))?.sizeBytes ?? 0
  let rest = Buffer.alloc(0)
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
    const piece = await storage.read(uri, undefined, [at, Math.min(at + PIECE_BYTES, sizeBytes) - 1])
    if (!piece) return
    const bytes = Buffer.concat([rest, piece])
    const end = bytes.lastIndexOf(10) + 1
    rest = bytes.subarray(end)
    for (const line of bytes.toString('utf8', 0, end).split('\n')) if (line) yield JSON.parse(line) as BatchRow | Member
  }
}

export async function* membersOf(
  desk: Pick<BatchDesk, 'storage' | 'resultsBucket'>,
  id: string,
): AsyncGenerator<Member> {
  for await (const entry of readManifest(desk, id)) if ('line' in entry) yield entry
}

/**
 * Runs `work` for each item, a few at a time; the first error ends it, once those beside it are done: a function that ended
 * sooner would leave them half done, and frozen.
 */
export async function inGroups<T>(
  items: AsyncIterable<T>,
  size: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let group: Promise<void>[] = []
  const settle = async () => {
    const ended = await Promise.allSettled(group)
    group = []
    for (const one of ended) if (one.status === 'rejected') throw one.reason
  }
  try {
    for await (const item of items) {
      const running = work(item)
      // Told when the group is settled; until then the list may take its time.
      running.catch(() => undefined)
      group.push(running)
      if (group.length >= size) await settle()
    }
    await settle()
  } finally {
    await Promise.allSettled(group)
  }
}
