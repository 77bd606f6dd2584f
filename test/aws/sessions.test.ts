import { PutItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createSessions, type Sessions } from '../../lib/aws/sessions.ts'
import { caught } from '../helpers/caught.ts'
import { openLedgerTable } from '../helpers/ledger-table.ts'

const START = Date.parse('2026-11-21T20:00:00Z')

let table: Awaited<ReturnType<typeof openLedgerTable>>
let sessions: Sessions
let time = START
let lines = 0
let name = ''

beforeAll(async () => {
  table = await openLedgerTable()
  sessions = createSessions(table.dynamodb, 'ledger', () => time)
})
afterAll(() => table.close())
beforeEach(() => {
  time = START
  lines += 1
  name = `line-${lines}`
})

const turnsOf = async (job: string) =>
  (await sessions.checkIn(name, job)).places.map(place => `${place.turn} ${place.job}`)

test('a job takes the next number when it comes first, and keeps it however often it comes', async () => {
  expect(await turnsOf('a')).toEqual(['1 a'])
  expect(await turnsOf('b.1')).toEqual(['1 a', '2 b.1'])
  expect(await turnsOf('a')).toEqual(['1 a', '2 b.1'])
  expect(await turnsOf('b.1')).toEqual(['1 a', '2 b.1'])
  expect(await turnsOf('c')).toEqual(['1 a', '2 b.1', '3 c'])
})

test('twenty jobs that come at once have twenty numbers', async () => {
  const jobs = Array.from({ length: 20 }, (_, at) => `job-${at}`)
  await Promise.all([...jobs, ...jobs].map(job => sessions.checkIn(name, job)))
  const { places } = await sessions.checkIn(name, 'job-0')
  expect(places.map(({ turn }) => turn)).toEqual(jobs.map((_, at) => at + 1))
  expect(places.map(({ job }) => job).toSorted()).toEqual(jobs.toSorted())
})

test('the next turn continues from the last one that is done, and numbers are not used twice', async () => {
  for (const job of ['a', 'b', 'c']) await sessions.checkIn(name, job)
  await sessions.leave(name, 'a', 's3://results/a/result.json')
  const after = await sessions.leave(name, 'b')
  expect(after?.places).toMatchObject([{ job: 'c', turn: 3 }])
  expect(after?.last).toEqual({ job: 'a', turn: 1, resultUri: 's3://results/a/result.json' })
  await sessions.leave(name, 'c', 's3://results/c/result.json')
  expect((await sessions.checkIn(name, 'd')).places).toMatchObject([{ job: 'd', turn: 4 }])
})

test('a job leaves once: leading it out again changes nothing', async () => {
  await sessions.checkIn(name, 'a')
  await sessions.leave(name, 'a', 's3://results/a/result.json')
  expect(await sessions.leave(name, 'a', 's3://elsewhere')).toBeUndefined()
  expect((await sessions.checkIn(name, 'b')).last?.resultUri).toBe('s3://results/a/result.json')
})

test('a job that nobody has seen is dropped, unless it came in between', async () => {
  const [first] = (await sessions.checkIn(name, 'a')).places
  await sessions.checkIn(name, 'b')
  if (!first) throw new Error('nobody is in the line')
  time += 1000
  await sessions.checkIn(name, 'a')
  expect(await sessions.drop(name, first)).toBeUndefined()
  expect((await sessions.drop(name, { ...first, seenAt: time }))?.places).toMatchObject([{ job: 'b', turn: 2 }])
  expect(await turnsOf('a')).toEqual(['2 b', '3 a'])
})

test('a line of a thousand takes nobody else', async () => {
  const places = Array.from({ length: 1000 }, (_, at) => [`job-${at}`, { N: String(at + 1) }])
  const Item = {
    pk: { S: `session#${name}` },
    sk: { S: 'session' },
    turnCount: { N: '1000' },
    turns: { M: Object.fromEntries(places) },
    seen: { M: Object.fromEntries(places) },
  }
  await table.dynamodb.send(new PutItemCommand({ TableName: 'ledger', Item }))
  expect(await caught(() => sessions.checkIn(name, 'one-more'))).toMatchObject({ code: 'ERR_SESSION_FULL' })
  await sessions.leave(name, 'job-7')
  expect((await sessions.checkIn(name, 'one-more')).places.at(-1)).toMatchObject({ job: 'one-more', turn: 1001 })
})
