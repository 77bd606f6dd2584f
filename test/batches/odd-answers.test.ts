import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Lane, openLane } from '../helpers/batch-lane.ts'

let lane: Lane
beforeAll(async () => {
  lane = await openLane()
})
afterAll(() => lane.close())
beforeEach(() => {
  lane.gemini.batches.clear()
  lane.jobs.length = 0
  lane.batches.length = 0
  lane.network.answer = () => undefined
})

const HOUR = 60
const notFound = () =>
  Response.json(
    { error: { code: 404, message: 'Requested entity was not found.', status: 'NOT_FOUND' } },
    { status: 404 },
  )
const made = () => lane.gemini.batches.all().length

/** What Google's place is taken by, wherever the path matches, as often as is said. */
function answer(path: RegExp, respond: () => Response, times = Number.POSITIVE_INFINITY): void {
  let left = times
  lane.network.answer = called => {
    if (!path.test(called) || left <= 0) return undefined
    left -= 1
    return respond()
  }
}

const ODD: readonly [string, () => Response][] = [
  ['an empty body', () => new Response('')],
  ['an object without a name', () => Response.json({})],
  ['a 404', notFound],
]

describe('a batch that runs, of which Google once says', () => {
  test.each(ODD)('%s: it is asked for again, and its job has one bill', async (name, respond) => {
    const id = `live.${name.replaceAll(' ', '-')}`
    const before = made()
    await lane.send({ id })
    await lane.submit()
    lane.pass(HOUR)
    answer(/^\/v1beta\/batches\/[^:]+$/, respond, 1)
    await lane.submit()
    await lane.deliver()
    expect(await lane.row(id)).toMatchObject({ status: 'batched' })
    await lane.run(2)
    expect(await lane.result(id)).toMatchObject({ status: 'done', cost: { lane: 'batch' } })
    expect(made() - before).toBe(1)
    expect(lane.paid(id)).toBe(1)
  })
})

test('a batch that Google knows no more after two days has expired', async () => {
  lane.gemini.batches.order({ end: 'STUCK' })
  await lane.send({ id: 'forgotten' })
  await lane.submit()
  answer(/^\/v1beta\/batches\/[^:]+/, notFound)
  lane.pass(47 * HOUR)
  await lane.run(1)
  expect(await lane.row('forgotten')).toMatchObject({ status: 'batched' })
  lane.pass(2 * HOUR)
  await lane.run(1)
  expect(await lane.result('forgotten')).toMatchObject({ attempts: [{ outcome: 'ERR_BATCH_EXPIRED' }, {}] })
})

describe('a result file that Google', () => {
  const file = /:download$/

  test('denies once is read the next time, and nothing is paid twice', async () => {
    await lane.send({ id: 'denied' })
    await lane.submit()
    answer(file, notFound, 1)
    await lane.run(2)
    expect(await lane.result('denied')).toMatchObject({ status: 'done', attempts: [{ outcome: 'reply' }] })
    expect(lane.paid('denied')).toBe(1)
  })

  test('denies for an hour is gone: its jobs go again', async () => {
    await lane.send({ id: 'gone' })
    await lane.submit()
    answer(file, notFound)
    await lane.run(4)
    expect(await lane.row('gone')).toMatchObject({ status: 'batched' })
    lane.pass(HOUR)
    await lane.run(1)
    lane.network.answer = () => undefined
    await lane.run(2)
    expect(await lane.result('gone')).toMatchObject({
      status: 'done',
      attempts: [{ outcome: 'ERR_BATCH_ROW_LOST' }, { outcome: 'reply' }],
    })
  })
})

describe('a creation whose answer was lost, when the list is', () => {
  test.each<[string, () => Response]>([
    ['empty', () => new Response('')],
    ['no object', () => Response.json([])],
    ['no array', () => Response.json({ operations: 'none' })],
    ['nameless', () => Response.json({ operations: [{}] })],
  ])('%s: nothing is concluded from it', async (name, respond) => {
    const id = `list.${name.replaceAll(' ', '-')}`
    const before = made()
    lane.gemini.batches.order({ create: 'cut' })
    await lane.send({ id })
    await lane.submit()
    lane.pass(10)
    answer(/^\/v1beta\/batches$/, respond, 1)
    await lane.submit()
    await lane.run(2)
    expect(made() - before).toBe(1)
    expect(await lane.result(id)).toMatchObject({ status: 'done' })
    expect(lane.paid(id)).toBe(1)
  })
})

test('a creation whose answer was lost may be missing from the list for some minutes', async () => {
  const before = made()
  lane.gemini.batches.order({ create: 'cut' })
  await lane.send({ id: 'late' })
  await lane.submit()
  lane.pass(3)
  answer(/^\/v1beta\/batches$/, () => Response.json({ operations: [] }), 1)
  await lane.submit()
  await lane.run(2)
  expect(made() - before).toBe(1)
  expect(lane.paid('late')).toBe(1)
})

test('a creation that never came to pass is repeated when the list, without a field for none, has no batch of ours', async () => {
  const before = made()
  await lane.send({ id: 'never' })
  answer(/:batchGenerateContent$/, () => new Response('busy', { status: 503 }), 1)
  await lane.submit()
  lane.pass(5)
  answer(/^\/v1beta\/batches$/, () => Response.json({}), 1)
  await lane.submit()
  expect(made() - before).toBe(1)
  await lane.run(2)
  expect(lane.paid('never')).toBe(1)
})

describe('a batch that does not end as it should', () => {
  test('whose cancellation Google ignores is given up half a day later', async () => {
    lane.gemini.batches.order({ end: 'STUCK' })
    await lane.send({ id: 'ignored' })
    await lane.submit()
    answer(/:cancel$/, () => Response.json({}))
    lane.pass(36 * HOUR)
    await lane.run(1)
    lane.pass(11 * HOUR)
    await lane.run(1)
    expect(await lane.row('ignored')).toMatchObject({ status: 'batched' })
    lane.pass(1 * HOUR)
    await lane.run(2)
    expect(await lane.result('ignored')).toMatchObject({
      status: 'done',
      cost: { lane: 'now' },
      attempts: [{ outcome: 'ERR_BATCH_EXPIRED' }, {}],
    })
  })

  test('but is done, in a state of Google’s own, has failed', async () => {
    lane.gemini.batches.order({ end: 'STUCK' })
    await lane.send({ id: 'unheard' })
    await lane.submit()
    answer(
      /^\/v1beta\/batches\/[^:]+$/,
      () => Response.json({ name: 'batches/x', done: true, metadata: { state: 'BATCH_STATE_ABANDONED' } }),
      1,
    )
    await lane.run(3)
    expect(await lane.result('unheard')).toMatchObject({
      status: 'done',
      attempts: [{ outcome: 'ERR_BATCH_FAILED' }, { outcome: 'reply' }],
    })
  })
})
