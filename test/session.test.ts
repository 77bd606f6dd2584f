import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Claim } from '../lib/aws/claim.ts'
import { createLedger, type JobMessage, type Ledger } from '../lib/aws/ledger.ts'
import { createSessions, type Sessions } from '../lib/aws/sessions.ts'
import { createTable } from '../lib/aws/table.ts'
import { EditError } from '../lib/errors.ts'
import { type Lines, leaveLine, takeTurn } from '../lib/session.ts'
import { caught } from './helpers/caught.ts'
import { openLedgerTable } from './helpers/ledger-table.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const START = Date.parse('2026-11-21T20:00:00Z')

let table: Awaited<ReturnType<typeof openLedgerTable>>
let ledger: Ledger
let sessions: Sessions
let time = START
const now = () => time
let tests = 0
let name = ''
let sent: string[] = []
let warned: string[] = []

beforeAll(async () => {
  table = await openLedgerTable()
  ledger = createLedger(createTable(table.dynamodb, 'ledger', now), now)
  sessions = createSessions(table.dynamodb, 'ledger', now)
})
afterAll(() => table.close())
beforeEach(() => {
  time = START
  tests += 1
  name = `line-${tests}`
  sent = []
  warned = []
})

const lines = (more: Partial<Lines> = {}): Lines => ({
  sessions,
  ledger,
  sendAgain: async (id, { queueUrl, body, messageId, firstSeenAt }) =>
    void sent.push([id.split('/')[1], queueUrl, body, messageId, firstSeenAt - START].join(' ')),
  now,
  log: { warn: message => void warned.push(message) },
  ...more,
})

const idOf = (job: string) => `${name}/${job}`
async function claim(job: string): Promise<Claim> {
  const outcome = await ledger.claim(idOf(job), { hash: job, leaseUntil: time + 310_000, firstSeenAt: time })
  if (outcome.kind !== 'claimed') throw new Error(`${job} is ${outcome.kind}`)
  return outcome.claim
}
const messageOf = (job: string): JobMessage => ({ queueUrl: 'jobs', body: `{${job}}`, messageId: `m-${job}` })
const resultOf = (job: string) => `s3://results/${job}/result.json`

/** Claims a job and asks for its turn; a job that has to wait is put back as the flow does. */
async function come(job: string) {
  const claimed = await claim(job)
  try {
    const turn = await takeTurn(lines(), claimed, name, messageOf(job))
    return { claim: claimed, turn }
  } catch (error) {
    if (!(error instanceof EditError)) throw error
    await ledger.wait(claimed, time + (error.retryAfterMs ?? 0), { code: error.code })
    return { claim: claimed, error }
  }
}
const end = (claimed: Claim, job: string, status: 'done' | 'refused' = 'done') =>
  ledger.close(claimed, { status, usd: 0, resultUri: resultOf(job) })

test('the first turn goes on from nothing, the next from the first', async () => {
  const first = await come('a')
  expect(first.turn).toEqual({ facts: { name, turn: 1, continuesFrom: undefined }, last: undefined })
  await end(first.claim, 'a')
  await leaveLine(lines(), name, idOf('a'), resultOf('a'))
  const { turn } = await come('b')
  expect(turn?.facts).toEqual({ name, turn: 2, continuesFrom: idOf('a') })
  expect(turn?.last?.resultUri).toBe(resultOf('a'))
})

test('the further behind, the longer a turn waits before it looks again, up to a quarter of an hour', async () => {
  const waits: (number | undefined)[] = []
  for (let n = 0; n < 18; n += 1) waits.push((await come(`job-${n}`)).error?.retryAfterMs)
  expect(waits.slice(0, 4)).toEqual([undefined, MINUTE, 2 * MINUTE, 3 * MINUTE])
  expect(waits.at(-1)).toBe(15 * MINUTE)
})

describe('the turn that ends', () => {
  test('wakes the next by its own message, and nobody else', async () => {
    const { claim: first } = await come('a')
    time += 1000
    for (const job of ['b', 'c']) expect((await come(job)).error?.code).toBe('ERR_SESSION_BUSY')
    await end(first, 'a', 'refused')
    await leaveLine(lines(), name, idOf('a'), undefined)
    expect(sent).toEqual(['b jobs {b} m-b 1000'])
    // Long before its minute is over.
    expect((await come('b')).turn?.facts.turn).toBe(2)
    expect(await caught(() => claim('c'))).toMatchObject({ message: 'c is held' })
  })

  test('leaves alone a next one that waits for something else', async () => {
    const { claim: first } = await come('a')
    await come('b')
    time += MINUTE
    const second = await claim('b')
    await ledger.wait(second, time + HOUR, { code: 'ERR_GEMINI_RATE' })
    await end(first, 'a')
    await leaveLine(lines(), name, idOf('a'), resultOf('a'))
    expect(sent).toEqual([])
    expect(await ledger.show(idOf('b'))).toMatchObject({ waitUntil: time + HOUR })
  })

  test('is over also when nobody can be woken', async () => {
    const { claim: first } = await come('a')
    await come('b')
    await end(first, 'a')
    const sendAgain = () => Promise.reject(new Error('SQS is away'))
    await leaveLine(lines({ sendAgain }), name, idOf('a'), resultOf('a'))
    expect(warned).toEqual(['next turn not woken'])
    time += MINUTE
    expect((await come('b')).turn?.facts).toMatchObject({ turn: 2, continuesFrom: idOf('a') })
  })
})

describe('a turn that died', () => {
  test('after it was closed, before it woke anybody: the next one comes within a minute and leads it out', async () => {
    const { claim: first } = await come('a')
    await come('b')
    await end(first, 'a')
    time += MINUTE
    const { turn } = await come('b')
    expect(turn?.facts).toEqual({ name, turn: 2, continuesFrom: idOf('a') })
    expect(turn?.last?.resultUri).toBe(resultOf('a'))
  })

  test('in the middle stays the first, and its picture is waited for', async () => {
    await come('a')
    await come('b')
    time += 5 * HOUR
    expect((await come('b')).error?.code).toBe('ERR_SESSION_BUSY')
    const { turn } = await come('a')
    expect(turn?.facts.turn).toBe(1)
  })

  test('and whose message never came back holds nobody up for ever; if it comes after all, it stands at the end', async () => {
    await come('a')
    await come('b')
    time += 7 * HOUR
    const { claim: second, turn } = await come('b')
    expect(turn?.facts).toMatchObject({ turn: 2, continuesFrom: undefined })
    expect(warned).toEqual(['turn dropped'])
    expect((await come('a')).error?.message).toBe(`turn 3 of session ${name} waits for turn 2, job ${idOf('b')}`)
    await end(second, 'b')
    await leaveLine(lines(), name, idOf('b'), resultOf('b'))
    expect((await come('a')).turn?.facts).toEqual({ name, turn: 3, continuesFrom: idOf('b') })
  })
})
