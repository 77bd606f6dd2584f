import { randomUUID } from 'node:crypto'
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import type { Code } from '../errors.ts'
import type { Attempt, InputFacts, SessionFacts, Status } from '../result.ts'
import type { Hold } from './budgets.ts'
import { callAws } from './faults.ts'

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
export type JobStatus = 'running' | 'waiting' | 'batched' | Status

/** What an owner knows of the job it claimed: all that earlier claims left behind. */
export type Claim = {
  id: string
  number: number
  /** Calls begun over all claims; the replies that were kept are numbered by it. */
  calls: number
  /** Calls of which somebody saw the end. The others ended with their function. */
  ended: number
  /** Calls that ended without an answer although Google may have worked, and may bill. */
  unanswered: number
  /** The last of them; a job that waits for a week has thousands, and a row has 400 KB. */
  attempts: Attempt[]
  firstSeenAt: number
  /** What it waited for last, as a code. */
  waitReason: string | undefined
  /** The job as it runs, from the first call on: a recipe that changes later changes nothing. */
  job: string | undefined
  inputs: InputFacts[] | undefined
  /** When this job may call that model: it keeps its slot while it waits for it. */
  slot: { model: string; at: number } | undefined
  /** Money that the last call set aside, as far as the row knows: settling it again does no harm. */
  hold: Hold | undefined
  /** How the last call continued its session. */
  session: SessionFacts | undefined
  /** Inputs that lie with Google for this job. */
  files: SentFile[]
  /** Batches that it was parked for so far. */
  batches: number
  /** `now` once no further batch may have it. */
  lane: 'now' | undefined
}

/** An input that was uploaded to Google: a retry uses it until it expires (epoch milliseconds). */
export type SentFile = { uri: string; etag: string; sha256: string; name: string; fileUri: string; expiresAt: number }

/** The message that a waiting job came by: sending it again wakes the job. */
export type JobMessage = { queueUrl: string; body: string; messageId: string }

export type ClaimOutcome =
  | { kind: 'claimed'; claim: Claim }
  /** Somebody else works on it, or its time has not come. */
  | { kind: 'held'; until: number; by: 'lease' | 'waiting' }
  | { kind: 'over'; status: Status }
  /** It lies in the batch lane, which brings it on by itself. */
  | { kind: 'batched' }
  /** The id stands for another job. */
  | { kind: 'reused' }

export type Ledger = ReturnType<typeof createLedger>

/** Rows are forgotten after 90 days; from then on `result.json` decides. */
export const REMEMBERED_MS = 90 * 24 * 3600 * 1000
const ATTEMPTS_KEPT = 30
const MESSAGE_KEPT_BYTES = 150_000
/** In the place of a batch's id. */
export const NO_BATCH = '-'
const OVER: readonly string[] = ['done', 'refused', 'failed'] satisfies Status[]

/**
 * What every write of an owner brings up to date: its calls and how they ended. Of a count whose answer was lost nobody knows
 * whether it stands, and no call followed it: the next write sets it right.
 */
export const PROGRESS = 'calls = :calls, ended = :ended, unanswered = :unanswered, attempts = :attempts'

export function toProgress({ calls, ended, unanswered, attempts }: Claim): Record<string, unknown> {
  const last = JSON.stringify(attempts.slice(-ATTEMPTS_KEPT))
  return { ':calls': calls, ':ended': ended, ':unanswered': unanswered, ':attempts': last }
}

export function createLedger(dynamodb: DynamoDBClient, table: string, now: () => number = Date.now) {
  const keyOf = (id: string) => ({ pk: { S: `job#${id}` }, sk: { S: 'job' } })

  async function read(id: string) {
    const command = new GetItemCommand({ TableName: table, Key: keyOf(id), ConsistentRead: true })
    const { Item } = await callAws(`dynamodb:GetItem on ${table}`, () => dynamodb.send(command))
    return Item
  }

  /** One conditional write; `undefined` when the condition does not hold. Every write leaves the time and the expiry. */
  async function update(
    id: string,
    change: { set: string; condition: string; names?: Record<string, string>; values: Record<string, unknown> },
  ) {
    const expiresAt = Math.floor((now() + REMEMBERED_MS) / 1000)
    const command = new UpdateItemCommand({
      TableName: table,
      Key: keyOf(id),
      UpdateExpression: `SET #kind = :kind, updatedAt = :updatedAt, expiresAt = :expiresAt, ${change.set}`,
      ConditionExpression: change.condition,
      ExpressionAttributeNames: { '#status': 'status', '#kind': 'kind', ...change.names },
      ExpressionAttributeValues: toAttributes({
        ...change.values,
        ':kind': 'job',
        ':updatedAt': new Date(now()).toISOString(),
        ':expiresAt': expiresAt,
      }),
      ReturnValues: 'ALL_NEW',
    })
    return callAws(`dynamodb:UpdateItem on ${table}`, async () => {
      try {
        return (await dynamodb.send(command)).Attributes
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return undefined
        throw error
      }
    })
  }

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
        condition:
          'attribute_not_exists(pk) OR (#hash = :hash AND ((#status = :running AND leaseUntil < :now AND (attribute_not_exists(batchId) OR batchId = :none)) OR (#status = :waiting AND waitUntil <= :now)))',
        names: { '#hash': 'hash', '#owner': 'owner' },
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
      return (
        item &&
        Object.fromEntries(
          Object.entries(item).map(([name, value]) => [
            name,
            value.N !== undefined ? Number(value.N) : (value.S ?? ''),
          ]),
        )
      )
    },
  }
}

/** The claim's number is no longer the ledger's: the lease ended, and somebody else took the job over. Nobody may go on. */
export class LostClaim extends Error {
  override readonly name = 'LostClaim'
  constructor(claim: Claim) {
    super(`job ${claim.id}: claim ${claim.number} is no longer the current one`)
  }
}

export type Item = Record<string, AttributeValue>

export function toClaim(id: string, item: Item): Claim {
  return {
    id,
    number: Number(item.claim?.N),
    calls: Number(item.calls?.N ?? 0),
    ended: Number(item.ended?.N ?? 0),
    unanswered: Number(item.unanswered?.N ?? 0),
    attempts: JSON.parse(item.attempts?.S ?? '[]') as Attempt[],
    firstSeenAt: Number(item.firstSeenAt?.N),
    waitReason: item.waitReason?.S,
    job: item.job?.S,
    inputs: item.inputs?.S ? (JSON.parse(item.inputs.S) as InputFacts[]) : undefined,
    slot: (JSON.parse(item.slot?.S ?? 'null') as Claim['slot'] | null) ?? undefined,
    hold: (JSON.parse(item.moneyHeld?.S ?? 'null') as Hold | null) ?? undefined,
    session: (JSON.parse(item.turn?.S ?? 'null') as SessionFacts | null) ?? undefined,
    files: JSON.parse(item.files?.S ?? '[]') as SentFile[],
    batches: Number(item.batches?.N ?? 0),
    lane: item.nowLane?.N === '1' ? 'now' : undefined,
  }
}

/** Why a claim did not succeed, from a read after it. The row may have moved in between; then it is simply held for now. */
function explain(item: Item | undefined, hash: string, now: number): ClaimOutcome {
  const status = item?.status?.S ?? ''
  if (item && item.hash?.S !== hash) return { kind: 'reused' }
  if (OVER.includes(status)) return { kind: 'over', status: status as Status }
  const inBatch = (item?.batchId?.S ?? NO_BATCH) !== NO_BATCH
  const isOrphan = status === 'running' && inBatch && Number(item?.leaseUntil?.N ?? 0) < now
  if (status === 'batched' || isOrphan) return { kind: 'batched' }
  const waiting = status === 'waiting'
  const until = Number((waiting ? item?.waitUntil?.N : item?.leaseUntil?.N) ?? now)
  return { kind: 'held', until: Math.max(until, now), by: waiting ? 'waiting' : 'lease' }
}

export function toAttributes(values: Record<string, unknown>) {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' ? { N: String(value) } : { S: String(value) },
    ]),
  )
}
