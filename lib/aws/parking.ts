import { randomUUID } from 'node:crypto'
import type { InputFacts } from '../result.ts'
import { type Claim, LostClaim } from './claim.ts'
import { createJobRows, NO_BATCH, PROGRESS, toClaim, toProgress } from './job-row.ts'
import type { Item, Table } from './table.ts'

/**
 * A job's row in the batch lane. Each arrow is one conditional write.
 *
 *   running ──park──▶ batched, batch - ──enlist──▶ batched, batch B ──claim──▶ running, batch B ──close──▶ done · refused · failed
 *      ▲ (edit)                                        ▲                        │ │  (the collector)
 *      │                                               └─────── put back ───────┘ │
 *      └──────────────── waiting, batch - ◀──────────────── go again ─────────────┘
 *
 * A row has one batch at most, and while it has one only that batch's collector may claim it: that is what keeps a job out
 * of two bills.
 */
export type Parking = ReturnType<typeof createParking>

/** What the row keeps of a line that was parked. */
type Parked = { line: string; tokens: number; replyBytes: number }
type Look = Parked & { firstSeenAt: number }

/** What a collector needs to end the job, or to send it again. */
export type RowClaim = Claim & {
  hash: string
  prefix: string
  source: string | undefined
  recipe: string | undefined
  parkedAt: number
}

export function createParking(table: Table, now: () => number) {
  const { read, update } = createJobRows(table)

  return {
    /** Hands a claimed job to the batch lane. It counts as a call: its number names the reply that will be kept. */
    async park(
      claim: Claim,
      facts: Parked & { job: string; inputs: InputFacts[]; prefix: string; source?: string; recipe?: string },
    ): Promise<void> {
      const written = await update(claim.id, {
        set: `#status = :batched, batchId = :none, line = :line, tokens = :tokens, replyBytes = :replyBytes, batches = :batches, job = :job, inputs = :inputs, prefix = :prefix, origin = :source, ofRecipe = :recipe, parkedAt = :now, ${PROGRESS}`,
        condition: '#status = :running AND claim = :claim',
        values: {
          ':batched': 'batched',
          ':running': 'running',
          ':none': NO_BATCH,
          ':claim': claim.number,
          ':line': facts.line,
          ':tokens': facts.tokens,
          ':replyBytes': facts.replyBytes,
          ':batches': claim.batches + 1,
          ':job': facts.job,
          ':inputs': JSON.stringify(facts.inputs),
          ':prefix': facts.prefix,
          ':source': facts.source ?? '-',
          ':recipe': facts.recipe ?? '-',
          ':now': now(),
          ...toProgress({ ...claim, calls: claim.calls + 1 }),
        },
      })
      if (written) return
      // The SDK repeats a write whose answer was lost. The first one stands, and a batch may have the line by now.
      const row = await read(claim.id)
      const stands = row?.status?.S === 'batched' && Number(row.claim?.N) === claim.number
      if (!stands) throw new LostClaim(claim)
    },

    /** What a parked line weighs; `stale` where no job waits for it any more, `taken` where its job is on the move. */
    async look(id: string, line: string): Promise<Look | 'stale' | 'taken'> {
      const row = await read(id)
      const status = row?.status?.S
      if (status === 'running' || status === 'waiting') return 'taken'
      if (!row || status !== 'batched' || row.line?.S !== line) return 'stale'
      if (row.batchId?.S !== NO_BATCH) return 'taken'
      const { tokens, replyBytes, firstSeenAt } = row
      return { line, tokens: Number(tokens?.N), replyBytes: Number(replyBytes?.N), firstSeenAt: Number(firstSeenAt?.N) }
    },

    /** Puts a parked job into a batch; false where it is in another, or has gone. Repeating it changes nothing. */
    async enlist(id: string, line: string, batch: string): Promise<boolean> {
      const written = await update(id, {
        set: 'batchId = :batch',
        condition: '#status = :batched AND line = :line AND batchId IN (:none, :batch)',
        values: { ':batched': 'batched', ':line': line, ':none': NO_BATCH, ':batch': batch },
      })
      return written !== undefined
    },

    /** Takes a job of a batch for its collector; `undefined` where it is over, or belongs to another. */
    async claim(id: string, batch: string, leaseUntil: number): Promise<RowClaim | undefined> {
      const owner = randomUUID()
      const written = await update(id, {
        set: '#status = :running, #owner = :owner, claim = claim + :one, leaseUntil = :lease',
        condition:
          'batchId = :batch AND #status = :batched OR batchId = :batch AND #status = :running AND leaseUntil < :now',
        values: {
          ':running': 'running',
          ':batched': 'batched',
          ':owner': owner,
          ':one': 1,
          ':lease': leaseUntil,
          ':batch': batch,
          ':now': now(),
        },
      })
      const item = written ?? (await read(id))
      // The write may have succeeded and its answer been lost: the SDK's own first write is then in the way.
      return item?.owner?.S === owner ? toRowClaim(id, item) : undefined
    },

    /** Whether a job of a batch still has no end. */
    async isOpen(id: string, batch: string): Promise<boolean> {
      return isOpenIn(await read(id), batch)
    },

    /** From when on a job of a batch can be claimed; `undefined` where it is none of the batch's any more. */
    async findFree(id: string, batch: string): Promise<number | undefined> {
      const row = await read(id)
      if (!isOpenIn(row, batch)) return undefined
      return row?.status?.S === 'running' ? Number(row.leaseUntil?.N) + 1 : 0
    },

    /** Gives a row back to its batch: the same row of the result file will end it another time. */
    async putBack(claim: Claim): Promise<void> {
      await update(claim.id, {
        set: '#status = :batched',
        condition: '#status = :running AND claim = :claim',
        values: { ':batched': 'batched', ':running': 'running', ':claim': claim.number },
      })
    },
  }
}

function isOpenIn(row: Item | undefined, batch: string): boolean {
  return row?.batchId?.S === batch && (row.status?.S === 'batched' || row.status?.S === 'running')
}

function toRowClaim(id: string, item: Item): RowClaim {
  const source = item.origin?.S
  return {
    ...toClaim(id, item),
    hash: item.hash?.S ?? '',
    prefix: item.prefix?.S ?? 'jobs',
    source: source === '-' ? undefined : source,
    recipe: item.ofRecipe?.S === '-' ? undefined : item.ofRecipe?.S,
    parkedAt: Number(item.parkedAt?.N),
  }
}
