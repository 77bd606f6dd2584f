import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Attempt } from '../../lib/attempts.ts'
import { type Claim, LostClaim } from '../../lib/aws/claim.ts'
import { createLedger, type Ledger } from '../../lib/aws/ledger.ts'
import { createTable } from '../../lib/aws/table.ts'
import type { InputFacts } from '../../lib/result.ts'
import { awsError } from '../helpers/aws.ts'
import { type Backend, openBackend } from '../helpers/backend.ts'
import { caught } from '../helpers/caught.ts'
import { losingClient } from '../helpers/losing-client.ts'

const START = Date.parse('2026-11-21T20:00:00Z')
const LEASE = 310_000
const DAY = 86_400_000

let backend: Backend
let dynamodb: DynamoDBClient
let table = ''
let ledger: Ledger
let time = START
let jobs = 0
let id = ''

beforeAll(async () => {
  backend = await openBackend()
  dynamodb = backend.dynamodb
  table = backend.table
  ledger = openLedger(dynamodb)
})
afterAll(() => backend[Symbol.asyncDispose]())
beforeEach(() => {
  time = START
  jobs += 1
  id = `${backend.prefix}-order-${jobs}`
})

const now = () => time
const openLedger = (client: DynamoDBClient) => createLedger(createTable(client, table, now), now)
const claim = (hash = 'one') => ledger.claim(id, { hash, leaseUntil: time + LEASE, firstSeenAt: time })
async function claimed(): Promise<Claim> {
  const outcome = await claim()
  if (outcome.kind !== 'claimed') throw new Error(`not claimed: ${JSON.stringify(outcome)}`)
  return outcome.claim
}

const done = { status: 'done', usd: 0.0374, resultUri: 's3://results/jobs/a/result.json' } as const
const facts: InputFacts = {
  uri: 's3://photos/a.jpg',
  etag: 'abc',
  sha256: '00',
  mimeType: 'image/jpeg',
  width: 30,
  height: 20,
}
const tried: Attempt = { attempt: 1, at: '2026-11-21T20:00:01Z', ms: 900, outcome: 'ERR_GEMINI_TIMEOUT' }

describe('a claim', () => {
  test('of a new job succeeds, with nothing behind it', async () => {
    expect(await claim()).toEqual({
      kind: 'claimed',
      claim: {
        id,
        number: 1,
        calls: 0,
        ended: 0,
        unanswered: 0,
        attempts: [],
        files: [],
        firstSeenAt: START,
        job: undefined,
        inputs: undefined,
        batches: 0,
        lane: undefined,
      },
    })
  })

  test('of twenty at once, one succeeds', async () => {
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => claim()))
    expect(outcomes.filter(({ kind }) => kind === 'claimed')).toHaveLength(1)
    for (const outcome of outcomes.filter(({ kind }) => kind !== 'claimed'))
      expect(outcome).toEqual({ kind: 'held', until: START + LEASE, by: 'lease' })
  })

  test('of a job with a living owner is refused until the lease ends, to the millisecond', async () => {
    await claimed()
    time = START + LEASE
    expect(await claim()).toEqual({ kind: 'held', until: START + LEASE, by: 'lease' })
    time = START + LEASE + 1
    expect(await claim()).toMatchObject({ kind: 'claimed', claim: { number: 2, firstSeenAt: START } })
  })

  test('after an owner died takes over all that it left: calls, attempts, the job as it ran, its inputs', async () => {
    const first = await claimed()
    Object.assign(first, { attempts: [tried], ended: 1, unanswered: 1 })
    await ledger.attempt(first, { job: '{"operation":"edit"}', inputs: [facts] })
    time += LEASE + 1
    expect(await claimed()).toEqual({
      id,
      number: 2,
      calls: 1,
      ended: 1,
      unanswered: 1,
      attempts: [tried],
      firstSeenAt: START,
      job: '{"operation":"edit"}',
      inputs: [facts],
      files: [],
      batches: 0,
      lane: undefined,
    })
  })

  test('whose answer was lost on the way back is still the owner’s', async () => {
    const { client, answers } = losingClient(backend)
    const unlucky = openLedger(client)
    const outcome = await unlucky.claim(id, { hash: 'one', leaseUntil: time + LEASE, firstSeenAt: time })
    expect(outcome).toMatchObject({ kind: 'claimed', claim: { number: 1 } })
    expect(answers.lost).toBe(1)
    expect(await claim()).toMatchObject({ kind: 'held', by: 'lease' })
    client.destroy()
  })

  test('keeps the time at which the job was first seen, whatever a later message says', async () => {
    await claimed()
    time += LEASE + 1
    expect((await claimed()).firstSeenAt).toBe(START)
  })
})

describe('a job that waits', () => {
  test('is held until its time, and then anybody’s, though its lease has not ended', async () => {
    const first = await claimed()
    await ledger.wait(first, START + 60_000, { code: 'ERR_GEMINI_RATE' })
    time = START + 59_999
    expect(await claim()).toEqual({ kind: 'held', until: START + 60_000, by: 'waiting' })
    time = START + 60_000
    expect(await claim()).toMatchObject({ kind: 'claimed', claim: { number: 2 } })
  })

  test('says until when and why', async () => {
    const first = await claimed()
    first.attempts.push(tried)
    await ledger.wait(first, START + 60_000, { code: 'ERR_GEMINI_RATE' })
    expect(await ledger.show(id)).toMatchObject({
      status: 'waiting',
      waitUntil: START + 60_000,
      waitReason: 'ERR_GEMINI_RATE',
      attempts: JSON.stringify([tried]),
    })
  })

  test('is claimed by one of twenty when its time has come', async () => {
    await ledger.wait(await claimed(), START, { code: 'ERR_INTERNAL' })
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => claim()))
    expect(outcomes.filter(({ kind }) => kind === 'claimed')).toHaveLength(1)
  })
})

describe('a job that is over', () => {
  test.each(['done', 'refused', 'failed'] as const)('stays over: %s', async status => {
    await ledger.close(await claimed(), { ...done, status })
    for (const later of [0, LEASE + 1, 80 * DAY]) {
      time = START + later
      expect(await claim()).toEqual({ kind: 'over', status })
    }
  })

  test('is closed once', async () => {
    const first = await claimed()
    await ledger.close(first, done)
    expect(await caught(() => ledger.close(first, { ...done, status: 'failed' }))).toBeInstanceOf(LostClaim)
    expect(await ledger.show(id)).toMatchObject({ status: 'done', usd: 0.0374, resultUri: done.resultUri, code: '-' })
  })

  test('cannot wait or be tried any more', async () => {
    const first = await claimed()
    await ledger.close(first, { ...done, status: 'failed', code: 'ERR_INPUT_EMPTY' })
    expect(await caught(() => ledger.wait(first, START, { code: 'ERR_INTERNAL' }))).toBeInstanceOf(LostClaim)
    expect(await caught(() => ledger.attempt(first, { job: '{}', inputs: [] }))).toBeInstanceOf(LostClaim)
    expect(await ledger.show(id)).toMatchObject({ status: 'failed', code: 'ERR_INPUT_EMPTY' })
  })
})

describe('an id that stands for another job', () => {
  test.each<[string, (first: Claim) => Promise<void>]>([
    ['while that one runs', async () => {}],
    [
      'when its lease has ended',
      async () => {
        time += LEASE + 1
      },
    ],
    ['while it waits', first => ledger.wait(first, START + 60_000, { code: 'ERR_GEMINI_RATE' })],
    ['when its waiting is over', first => ledger.wait(first, START, { code: 'ERR_GEMINI_RATE' })],
    ['when it is over', first => ledger.close(first, done)],
  ])('is said to be taken, and nothing of that job is touched: %s', async (_, happen) => {
    await happen(await claimed())
    const before = await ledger.show(id)
    expect(await claim('two')).toEqual({ kind: 'reused' })
    expect(await ledger.show(id)).toEqual(before)
  })
})

describe('an owner whose claim was taken over can write nothing more', () => {
  test.each<[string, (lost: Claim) => Promise<void>]>([
    ['no call', lost => ledger.attempt(lost, { job: '{}', inputs: [] })],
    ['no waiting', lost => ledger.wait(lost, START, { code: 'ERR_INTERNAL' })],
    ['no end', lost => ledger.close(lost, done)],
  ])('%s', async (_, write) => {
    const lost = await claimed()
    time += LEASE + 1
    await claimed()
    const before = await ledger.show(id)
    const error = await caught(() => write(lost))
    expect(error).toBeInstanceOf(LostClaim)
    expect((error as Error).message).toBe(`job ${id}: claim 1 is no longer the current one`)
    expect(await ledger.show(id)).toEqual(before)
  })

  test('nor before it began again: a job that was given back is nobody’s', async () => {
    const first = await claimed()
    await ledger.wait(first, START, { code: 'ERR_INTERNAL' })
    expect(await caught(() => ledger.close(first, done))).toBeInstanceOf(LostClaim)
  })
})

describe('a call', () => {
  test('is counted before it is made, over all claims', async () => {
    const first = await claimed()
    await ledger.attempt(first, { job: '{}', inputs: [] })
    await ledger.attempt(first, { job: '{}', inputs: [] })
    expect([first.calls, (await ledger.show(id))?.calls]).toEqual([2, 2])
    time += LEASE + 1
    const second = await claimed()
    await ledger.attempt(second, { job: '{}', inputs: [] })
    expect([second.calls, (await ledger.show(id))?.calls]).toEqual([3, 3])
  })

  test('is remembered with the last thirty of its kind: a job that waits for a week has thousands', async () => {
    const first = await claimed()
    first.attempts.push(...Array.from({ length: 5000 }, (_, index) => ({ ...tried, attempt: index + 1 })))
    await ledger.wait(first, START, { code: 'ERR_GEMINI_UNAVAILABLE' })
    const { attempts } = await claimed()
    expect([attempts.length, attempts[0]?.attempt, attempts.at(-1)?.attempt]).toEqual([30, 4971, 5000])
  })

  test('that the ledger could not count does not count: five throttled writes are no five lost calls', async () => {
    const throttled = new DynamoDBClient({ region: 'us-east-1' })
    mockClient(throttled).on(UpdateItemCommand).rejects(awsError('ThrottlingException', 400))
    const first = await claimed()
    const attempt = () => openLedger(throttled).attempt(first, { job: '{}', inputs: [facts] })
    for (let call = 0; call < 5; call += 1) expect(await caught(attempt)).toMatchObject({ code: 'ERR_AWS_UNAVAILABLE' })
    expect(first).toMatchObject({ calls: 0, job: undefined, inputs: undefined })
    await ledger.attempt(first, { job: '{}', inputs: [] })
    expect((await ledger.show(id))?.calls).toBe(1)
  })
})

describe('a row', () => {
  test('is forgotten 90 days after it was last written', async () => {
    const first = await claimed()
    expect((await ledger.show(id))?.expiresAt).toBe((START + 90 * DAY) / 1000)
    time += DAY
    await ledger.close(first, done)
    expect(await ledger.show(id)).toMatchObject({
      expiresAt: (START + 91 * DAY) / 1000,
      updatedAt: '2026-11-22T20:00:00.000Z',
      kind: 'job',
    })
  })

  test('of a job that nobody sent is nothing', async () => {
    expect(await ledger.show('nobody')).toBeUndefined()
  })
})

describe('what DynamoDB throws says whose move it is', () => {
  const client = new DynamoDBClient({ region: 'us-east-1' })
  const mock = mockClient(client)
  test.each([
    ['ProvisionedThroughputExceededException', 400, 'ERR_AWS_UNAVAILABLE'],
    ['InternalServerError', 500, 'ERR_AWS_UNAVAILABLE'],
    ['AccessDeniedException', 400, 'ERR_AWS_FORBIDDEN'],
    ['ResourceNotFoundException', 400, 'ERR_AWS_FORBIDDEN'],
  ])('%s', async (name, status, code) => {
    mock.reset()
    mock.onAnyCommand().rejects(awsError(name, status))
    const other = openLedger(client)
    const error = await caught(() => other.claim('a', { hash: 'one', leaseUntil: 1, firstSeenAt: 0 }))
    expect(error).toMatchObject({ code, message: expect.stringContaining(`dynamodb:UpdateItem on ${table}`) })
  })
})
