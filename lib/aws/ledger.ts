import { randomUUID } from 'node:crypto'
import type { Code } from '../errors.ts'
import { type InputFacts, isOver, type SessionFacts, type Status } from '../result.ts'
import type { Hold } from './budgets.ts'
import { type Claim, LostClaim, type SentFile } from './claim.ts'
import { createJobRows, NO_BATCH, PROGRESS, toClaim, toProgress } from './job-row.ts'
import { type Item, type Table, toPlainRow } from './table.ts'

/**
 * Every job's row, and how it moves. Each arrow is one conditional write; those out of `running` are conditioned on the
 * claim's number, so a function that lost its claim can write nothing more.
 *
 *            claim                      attempt ↺ (count it, then call)
 *   (none) ────────▶ running, claim n ──────────────┐
 *                     │  ▲  ▲                       │
 *              wait   │  │  └─ claim n+1: the lease │ close
 *                     ▼  │     ended, owner is dead ▼
 *                   waiting                       done · refused · failed
 *                        └─ claim n+1: its time came
 *
 * A job of the batch lane goes from `running` to `batched` and comes back by way of `parking.ts`: while it belongs to a
 * batch, nobody but that batch's collector can claim it, whoever sends its message again.
 *
 * A lease ends at the owner's deadline plus a margin and is never renewed: Lambda kills the owner before it ends.
 */
type JobStatus = 'running' | 'waiting' | 'batched' | Status

/** The message that a waiting job came by: sending it again wakes the job. */
export type JobMessage = { queueUrl: string; body: string; messageId: string }

type ClaimOutcome =
  | { kind: 'claimed'; claim: Claim }
  /** Somebody else works on it, or its time has not come. */
  | { kind: 'held'; until: number; by: 'lease' | 'waiting' }
  | { kind: 'over'; status: Status }
  /** It lies in the batch lane, which brings it on by itself. */
  | { kind: 'batched' }
  /** The id stands for another job. */
  | { kind: 'reused' }

export type Ledger = ReturnType<typeof createLedger>

const MESSAGE_KEPT_BYTES = 150_000
/** What may be claimed. Without nested parentheses: those take the local stack's DynamoDB fifteen milliseconds to read. */
const FREE = [
  'attribute_not_exists(pk)',
  '#hash = :hash AND #status = :waiting AND waitUntil <= :now',
  '#hash = :hash AND #status = :running AND leaseUntil < :now AND attribute_not_exists(batchId)',
  '#hash = :hash AND #status = :running AND leaseUntil < :now AND batchId = :none',
].join(' OR ')

export function createLedger(table: Table, now: () => number) {
  const { read, update } = createJobRows(table)

  /** A write of the owner's, which may find itself carried out already: the SDK repeats what it had no answer to. */
  async function updateOwned(claim: Claim, set: string, to: JobStatus, values: Record<string, unknown>): Promise<void> {
    const written = await update(claim.id, {
      set: `#status = :status, ${set}`,
      condition: '#status IN (:running, :status) AND claim = :claim',
      values: { ':running': 'running', ':status': to, ':claim': claim.number, ...values },
    })
    if (!written) throw new LostClaim(claim)
  }

  return {
    /** Takes the job for one owner until `leaseUntil` (epoch milliseconds), or says why not. `hash` tells contents of one id apart. */
    async claim(id: string, facts: { hash: string; leaseUntil: number; firstSeenAt: number }): Promise<ClaimOutcome> {
      const owner = randomUUID()
      const written = await update(id, {
        set: '#status = :running, #owner = :owner, claim = if_not_exists(claim, :zero) + :one, leaseUntil = :lease, firstSeenAt = if_not_exists(firstSeenAt, :firstSeen), #hash = :hash',
        condition: FREE,
        values: {
          ':running': 'running',
          ':waiting': 'waiting',
          ':owner': owner,
          ':zero': 0,
          ':one': 1,
          ':lease': facts.leaseUntil,
          ':firstSeen': facts.firstSeenAt,
          ':hash': facts.hash,
          ':now': now(),
          ':none': NO_BATCH,
        },
      })
      if (written) return { kind: 'claimed', claim: toClaim(id, written) }
      const item = await read(id)
      // The write may have succeeded and its answer been lost: the SDK then writes again, and its own first write is in the way.
      if (item?.owner?.S === owner) return { kind: 'claimed', claim: toClaim(id, item) }
      return explain(item, facts.hash, now())
    },

    /** Counts a call before it is made, and pins what it is made of. The number names the reply that will be kept. */
    async attempt(
      claim: Claim,
      pinned: { job: string; inputs: InputFacts[]; session?: SessionFacts; hold?: Hold },
    ): Promise<void> {
      const calls = claim.calls + 1
      const set = `job = :job, inputs = :inputs, turn = :turn, moneyHeld = :hold, ${PROGRESS}`
      await updateOwned(claim, set, 'running', {
        ':job': pinned.job,
        ':inputs': JSON.stringify(pinned.inputs),
        ':turn': JSON.stringify(pinned.session ?? null),
        ':hold': JSON.stringify(pinned.hold ?? null),
        ...toProgress({ ...claim, calls }),
      })
      Object.assign(claim, { calls, ...pinned, hold: pinned.hold })
    },

    /** Remembers what lies with Google for the job. */
    async keepFiles(claim: Claim, files: SentFile[]): Promise<void> {
      await updateOwned(claim, 'files = :files', 'running', { ':files': JSON.stringify(files) })
      claim.files = files
    },

    /** Remembers how to wake the job once it waits. */
    async keepMessage(claim: Claim, message: JobMessage): Promise<void> {
      // A row has 400 KB; a job with a longer message is not woken and comes by itself.
      if (Buffer.byteLength(message.body) > MESSAGE_KEPT_BYTES) return
      await updateOwned(claim, 'message = :message', 'running', { ':message': JSON.stringify(message) })
    },

    /** Ends the wait of a job that waits for `reason`, and gives the message that brings it; `undefined` if there is none to wake. */
    async wake(id: string, reason: Code): Promise<(JobMessage & { firstSeenAt: number }) | undefined> {
      const item = await update(id, {
        set: 'waitUntil = :zero',
        condition: '#status = :waiting AND waitReason = :reason',
        values: { ':zero': 0, ':waiting': 'waiting', ':reason': reason },
      })
      if (!item?.message?.S) return undefined
      return { ...(JSON.parse(item.message.S) as JobMessage), firstSeenAt: Number(item.firstSeenAt?.N) }
    },

    /** Gives the job back until `until`, with the reason: no failure, and no claim. */
    async wait(
      claim: Claim,
      until: number,
      { code, lane = claim.lane }: { code: Code | 'ERR_INTERNAL'; lane?: 'now' },
    ): Promise<void> {
      const set = `waitUntil = :until, waitReason = :code, slot = :slot, batchId = :none, nowLane = :nowLane, ${PROGRESS}`
      await updateOwned(claim, set, 'waiting', {
        ':slot': JSON.stringify(claim.slot ?? null),
        ':none': NO_BATCH,
        ':nowLane': lane === 'now' ? 1 : 0,
        ':until': until,
        ':code': code,
        ...toProgress(claim),
      })
    },

    /** Ends the job, once. `resultUri` is where `result.json` lies. */
    async close(claim: Claim, end: { status: Status; code?: Code; usd: number; resultUri: string }): Promise<void> {
      await updateOwned(claim, `resultUri = :uri, usd = :usd, code = :code, ${PROGRESS}`, end.status, {
        ':uri': end.resultUri,
        ':usd': end.usd,
        ':code': end.code ?? '-',
        ...toProgress(claim),
      })
    },

    /** A job's row as plain values, for people and tests. */
    async show(id: string): Promise<Record<string, string | number> | undefined> {
      const item = await read(id)
      return item && toPlainRow(item)
    },
  }
}

/** Why a claim did not succeed, from a read after it. The row may have moved in between; then it is simply held for now. */
function explain(item: Item | undefined, hash: string, now: number): ClaimOutcome {
  const status = item?.status?.S ?? ''
  if (item && item.hash?.S !== hash) return { kind: 'reused' }
  if (isOver(status)) return { kind: 'over', status }
  const inBatch = (item?.batchId?.S ?? NO_BATCH) !== NO_BATCH
  const isOrphan = status === 'running' && inBatch && Number(item?.leaseUntil?.N ?? 0) < now
  if (status === 'batched' || isOrphan) return { kind: 'batched' }
  const waiting = status === 'waiting'
  const until = Number((waiting ? item?.waitUntil?.N : item?.leaseUntil?.N) ?? now)
  return { kind: 'held', until: Math.max(until, now), by: waiting ? 'waiting' : 'lease' }
}
