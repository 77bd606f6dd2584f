import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Claim, LostClaim } from '../../lib/aws/claim.ts'
import { createLedger, type Ledger } from '../../lib/aws/ledger.ts'
import { createParking, type Parking, type RowClaim } from '../../lib/aws/parking.ts'
import { createTable } from '../../lib/aws/table.ts'
import { type Backend, openBackend } from '../helpers/backend.ts'
import { caught } from '../helpers/caught.ts'
import { losingClient } from '../helpers/losing-client.ts'

const START = Date.parse('2026-11-21T20:00:00Z')
const LEASE = 310_000
const DAY = 86_400_000
const LINE = 'batches/open/model/job'

let backend: Backend
let ledger: Ledger
let parking: Parking
let time = START
let jobs = 0
let id = ''

const now = () => time
const openParking = (client: DynamoDBClient) => createParking(createTable(client, backend.table, now), now)

beforeAll(async () => {
  backend = await openBackend()
  ledger = createLedger(createTable(backend.dynamodb, backend.table, now), now)
  parking = openParking(backend.dynamodb)
})
afterAll(() => backend[Symbol.asyncDispose]())
beforeEach(() => {
  time = START
  jobs += 1
  id = `${backend.prefix}-parked-${jobs}`
})

const come = () => ledger.claim(id, { hash: 'one', leaseUntil: time + LEASE, firstSeenAt: time })
const collect = (batch = 'A') => parking.claim(id, batch, time + LEASE)
const facts = { line: LINE, tokens: 7, replyBytes: 8, job: '{}', inputs: [], prefix: 'jobs' }
const numbersIn = async () => {
  const { claim, batches, calls } = (await ledger.show(id)) ?? {}
  return { claim, batches, calls }
}

async function claimed(): Promise<Claim> {
  const outcome = await come()
  if (outcome.kind !== 'claimed') throw new Error(`not claimed: ${JSON.stringify(outcome)}`)
  return outcome.claim
}
async function parked(): Promise<Claim> {
  const claim = await claimed()
  await parking.park(claim, facts)
  return claim
}
async function collected(): Promise<RowClaim> {
  await parked()
  await parking.enlist(id, LINE, 'A')
  const claim = await collect()
  if (!claim) throw new Error('its collector could not claim it')
  return claim
}

describe('a parked job', () => {
  test('belongs to the batch lane, however long it lies there and however often its message comes', async () => {
    await parked()
    expect(await come()).toEqual({ kind: 'batched' })
    time += DAY
    expect(await come()).toEqual({ kind: 'batched' })
    expect(await numbersIn()).toEqual({ claim: 1, batches: 1, calls: 1 })
  })

  test('is parked once, though the answer was lost and the SDK asks again', async () => {
    const { client, answers } = losingClient(backend)
    await openParking(client).park(await claimed(), facts)
    expect(answers.lost).toBe(1)
    expect(await numbersIn()).toEqual({ claim: 1, batches: 1, calls: 1 })
    client.destroy()
  })

  test('stays in the batch that took it before its owner asks again', async () => {
    const claim = await parked()
    await parking.enlist(id, LINE, 'A')
    await parking.park(claim, facts)
    expect(await ledger.show(id)).toMatchObject({ status: 'batched', batchId: 'A' })
  })

  test('is not parked by an owner that lost it', async () => {
    const first = await claimed()
    time += LEASE + 1
    const second = await claimed()
    expect(await caught(() => parking.park(first, facts))).toBeInstanceOf(LostClaim)
    await parking.park(second, facts)
    expect(await caught(() => parking.park(first, facts))).toBeInstanceOf(LostClaim)
  })

  test('is enlisted in one batch, by its own line, as often as that batch asks', async () => {
    await parked()
    expect(await parking.look(id, LINE)).toEqual({ line: LINE, tokens: 7, replyBytes: 8, firstSeenAt: START })
    expect(await parking.enlist(id, 'another line', 'A')).toBe(false)
    expect(await parking.enlist(id, LINE, 'A')).toBe(true)
    expect(await parking.enlist(id, LINE, 'A')).toBe(true)
    expect(await parking.enlist(id, LINE, 'B')).toBe(false)
    expect(await parking.look(id, LINE)).toBe('taken')
    expect(await parking.look(id, 'another line')).toBe('stale')
  })

  test('is claimed by no collector before it is in a batch, and then by that batch’s alone', async () => {
    await parked()
    expect(await collect('A')).toBeUndefined()
    await parking.enlist(id, LINE, 'A')
    expect(await collect('B')).toBeUndefined()
    expect(await collect('A')).toMatchObject({ id, number: 2, batches: 1, calls: 1, hash: 'one', prefix: 'jobs' })
  })
})

describe('a job in its collector’s hands', () => {
  test('is claimed by nobody else while the lease lasts, and once by its batch when it has ended', async () => {
    const first = await collected()
    time += LEASE
    expect(await collect()).toBeUndefined()
    expect(await parking.findFree(id, 'A')).toBe(time + 1)
    expect(await come()).toMatchObject({ kind: 'held', by: 'lease' })
    time += 1
    expect(await Promise.all([collect('B'), come()])).toEqual([undefined, { kind: 'batched' }])
    const claims = await Promise.all([collect(), collect(), collect()])
    expect(claims.filter(Boolean)).toMatchObject([{ number: first.number + 1 }])
  })

  test('is claimed once, though the answer was lost and the SDK asks again', async () => {
    await parked()
    await parking.enlist(id, LINE, 'A')
    const { client, answers } = losingClient(backend)
    expect(await openParking(client).claim(id, 'A', time + LEASE)).toMatchObject({ number: 2 })
    expect(answers.lost).toBe(1)
    client.destroy()
  })

  test('is given back to its batch, and by its owner alone', async () => {
    const first = await collected()
    await parking.putBack(first)
    expect(await parking.findFree(id, 'A')).toBe(0)
    expect(await come()).toEqual({ kind: 'batched' })
    const second = await collect()
    await parking.putBack(first)
    expect(await ledger.show(id)).toMatchObject({ status: 'running', claim: second?.number })
  })

  test('leaves its batch when it is to go again: the queue may claim it in its time, and no batch', async () => {
    const claim = await collected()
    await ledger.wait(claim, time + 1000, { code: 'ERR_BATCH_FAILED' })
    expect(await parking.isOpen(id, 'A')).toBe(false)
    expect(await parking.findFree(id, 'A')).toBeUndefined()
    await parking.putBack(claim)
    expect(await parking.enlist(id, LINE, 'B')).toBe(false)
    expect(await come()).toMatchObject({ kind: 'held', by: 'waiting' })
    time += DAY
    expect(await collect()).toBeUndefined()
    const again = await claimed()
    // A job that was in a batch once is as free as any other when its owner dies.
    time += LEASE + 1
    expect((await claimed()).number).toBe(again.number + 1)
  })

  test('is over when it is closed', async () => {
    const claim = await collected()
    await ledger.close(claim, { status: 'done', usd: 0.02, resultUri: 's3://results/a' })
    time += DAY
    expect(await collect()).toBeUndefined()
    expect(await come()).toEqual({ kind: 'over', status: 'done' })
    await parking.putBack(claim)
    expect(await parking.look(id, LINE)).toBe('stale')
  })
})
