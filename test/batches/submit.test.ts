import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { overQuota } from '../../infra/local/gemini/faults.ts'
import { cancelBatch } from '../../lib/batches/cancel.ts'
import { type Lane, openLane } from '../helpers/batch-lane.ts'

let lane: Lane
beforeAll(async () => {
  lane = await openLane()
})
afterAll(() => lane.close())
beforeEach(() => {
  lane.logs.length = 0
  mend()
})

const FLASH = 'gemini-nano-banana-2.1'
const PRO = 'gemini-3-pro-image'
const UPLOAD = 'POST /upload/v1beta/files'
const createOf = (model: string) => `POST /v1beta/models/${model}:batchGenerateContent`

/** What one tick asks Google to take. */
const tick = async () => (await lane.power.watch(() => lane.submit())).filter(step => step.startsWith('POST '))
const made = () => lane.gemini.batches.all().length
const attemptsOf = async (id: string) => (await lane.result(id))?.attempts.map(({ outcome }) => outcome)
const logged = (message: string) => lane.logs.filter(log => log.message === message).map(({ fields }) => fields)

/** A tick with a key that Google refuses: the manifest is written, and nothing is sent. */
async function planOnly(): Promise<void> {
  lane.network.key = 'wrong'
  await lane.submit()
  lane.network.key = lane.gemini.apiKey
}

function mend(): void {
  lane.network.key = lane.gemini.apiKey
  lane.network.answer = () => undefined
}

/** Google says that a day's quota is spent, wherever the path matches. */
function spendQuota(path: RegExp): void {
  const quota = { model: FLASH, delayMs: 100, quotaId: 'BatchRequestsPerDayPerProjectPerModel', quotaValue: '10' }
  lane.network.answer = called =>
    path.test(called) ? Response.json(overQuota(quota).body, { status: 429 }) : undefined
}

describe('a parked line that somebody deleted', () => {
  test('holds up nobody: the batch goes without it, and when that is over its job goes again', async () => {
    const ids = [1, 2, 3].map(n => `line.${n}`)
    for (const id of ids) await lane.send({ id })
    await planOnly()
    await lane.storage.remove(lane.bucket, [`batches/open/${FLASH}/line.2`])
    await lane.submit()
    expect(lane.gemini.batches.all().at(-1)).toMatchObject({ rows: 2 })
    expect(logged('parked line is gone')).toMatchObject([{ job: 'line.2' }])
    await lane.run(3)
    expect(await attemptsOf('line.1')).toEqual(['reply'])
    expect(await attemptsOf('line.2')).toEqual(['ERR_BATCH_ROW_LOST', 'reply'])
    for (const id of ids) {
      expect(await lane.result(id)).toMatchObject({ status: 'done', cost: { lane: 'batch' } })
      expect(lane.paid(id)).toBe(1)
    }
    expect(await lane.keys('batches/live/')).toEqual([])
  })

  test('was its batch’s last: the batch is never made, and the job goes again at once', async () => {
    const before = made()
    await lane.send({ id: 'last' })
    await planOnly()
    await lane.storage.remove(lane.bucket, [`batches/open/${FLASH}/last`])
    await lane.run(3)
    expect(await attemptsOf('last')).toEqual(['ERR_BATCH_ROW_LOST', 'reply'])
    expect(made() - before).toBe(1)
    expect(lane.paid('last')).toBe(1)
  })
})

describe('what Google refuses one batch, no other asks for in that tick', () => {
  const ids = ['flash.1', 'flash.2', 'flash.3', 'pro.1'].map(name => `refused.${name}`)
  const pros = ids.filter(id => id.includes('pro'))
  let before = 0
  beforeAll(async () => {
    before = made()
    await lane.settings({ batch: { rows: 1 } })
    for (const id of ids) await lane.send({ id, ...(pros.includes(id) && { model: PRO }) })
  })

  test('a wrong key: one try a tick, an error in the log, and no batch more is planned', async () => {
    lane.network.key = 'wrong'
    expect([await tick(), await tick(), await tick()]).toEqual([[UPLOAD], [UPLOAD], [UPLOAD]])
    expect(logged('batch waits for a repair')).toHaveLength(3)
    expect(logged('batch waits for a repair')).toMatchObject([{ code: 'ERR_GEMINI_KEY' }, {}, {}])
    expect(await lane.keys('batches/live/')).toHaveLength(1)
  })

  test('a day’s quota on uploads: one try a tick for each model', async () => {
    spendQuota(/^\/upload\//)
    expect(await tick()).toEqual([UPLOAD, UPLOAD])
    expect(logged('batch waits')).toMatchObject([{ code: 'ERR_GEMINI_QUOTA_DAY' }, {}])
    expect(await lane.keys('batches/live/')).toHaveLength(2)
  })

  test('one batch’s trouble is not the others’, until it is known to be theirs, too', async () => {
    const busy = { status: 503, headers: { 'retry-after': '60' } }
    lane.network.answer = () => new Response('busy', busy)
    expect(await tick()).toEqual(ids.map(() => UPLOAD))
    expect(await lane.keys('batches/live/')).toHaveLength(ids.length)
    mend()
    lane.network.key = 'wrong'
    expect(await tick()).toEqual([UPLOAD])
    mend()
    spendQuota(/^\/upload\//)
    expect(await tick()).toEqual([UPLOAD, UPLOAD])
  })

  test('a day’s quota on batches: the file is sent once, and other models are served', async () => {
    spendQuota(new RegExp(`${FLASH}:batchGenerateContent`))
    const first = await tick()
    expect(first.filter(step => step.startsWith('POST /v1')).toSorted()).toEqual([createOf(PRO), createOf(FLASH)])
    expect([await tick(), await tick()]).toEqual([[createOf(FLASH)], [createOf(FLASH)]])
    expect(made() - before).toBe(1)
  })

  test('it shuts no gate on calls: the now lane goes on', async () => {
    spendQuota(new RegExp(`${FLASH}:batchGenerateContent`))
    await lane.submit()
    expect(await lane.send({ id: 'meanwhile', lane: 'now' })).toMatchObject({ status: 'done' })
  })

  test('once it is mended all of them go, each of them once', async () => {
    await lane.run(4)
    expect(made() - before).toBe(ids.length)
    for (const id of ids) {
      expect(await lane.result(id)).toMatchObject({ status: 'done', cost: { lane: 'batch' } })
      expect(lane.paid(id)).toBe(1)
    }
    await lane.settings({})
  })
})

test('a batch that is over waits for its key, and is collected when that is mended', async () => {
  await lane.send({ id: 'keyless' })
  await lane.submit()
  await lane.gemini.batches.finish()
  lane.network.key = 'wrong'
  await lane.submit()
  const steps = await lane.power.watch(() => lane.deliver())
  expect(steps.filter(step => step.startsWith('GET '))).toHaveLength(1)
  expect(logged('batch waits for a repair')).toMatchObject([{ code: 'ERR_GEMINI_KEY' }])
  expect(await lane.row('keyless')).toMatchObject({ status: 'batched' })
  mend()
  await lane.run(1)
  expect(await lane.result('keyless')).toMatchObject({ status: 'done', cost: { lane: 'batch' } })
  expect(lane.paid('keyless')).toBe(1)
})

test('a batch that is to be cancelled is, though an earlier one met a wrong key', async () => {
  spendQuota(/^\/upload\//)
  for (const model of [FLASH, PRO]) await lane.send({ id: `cancelled.${model}`, model })
  await lane.submit()
  const [, behind = ''] = (await lane.keys('batches/live/')).map(key => key.replace(/^.*\/|\.jsonl$/g, ''))
  await cancelBatch(lane.desk, behind)
  mend()
  lane.network.key = 'wrong'
  await lane.submit()
  expect(await lane.desk.batches.read(behind)).toMatchObject({ step: 'ended', end: 'CANCELLED' })
  mend()
  await lane.run(2)
  const ends = await Promise.all([FLASH, PRO].map(async model => (await lane.result(`cancelled.${model}`))?.status))
  expect(ends.toSorted()).toEqual(['done', 'failed'])
})

test('a file that Google lost before its batch was made is sent again', async () => {
  const before = made()
  lane.gemini.batches.order({ create: 'busy' })
  await lane.send({ id: 'lost' })
  await lane.submit()
  const files = await (await fetch(`${lane.gemini.baseUrl}/v1beta/files?key=${lane.gemini.apiKey}`)).json()
  for (const { name } of (files as { files: { name: string }[] }).files)
    await fetch(`${lane.gemini.baseUrl}/v1beta/${name}?key=${lane.gemini.apiKey}`, { method: 'DELETE' })
  expect(await tick()).toEqual([createOf(FLASH)])
  expect(await tick()).toEqual([UPLOAD, expect.stringMatching(/^POST \/upload\//), createOf(FLASH)])
  await lane.run(2)
  expect(made() - before).toBe(1)
  expect(lane.paid('lost')).toBe(1)
})
