import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { FAULTS, type FaultName } from '../../infra/local/gemini/faults.ts'
import { startGemini } from '../../infra/local/gemini/server.ts'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'

type End = { code: string; ends: 'done' | 'failed' | 'waiting' }

const mended = (code: string): End => ({ code, ends: 'done' })

/** What a job meets that meets this fault once, and how it goes on. */
const ENDS: Record<Exclude<FaultName, 'slow'>, End> = {
  rate: mended('ERR_GEMINI_RATE'),
  'rate-text': mended('ERR_GEMINI_RATE'),
  'rate-header': mended('ERR_GEMINI_RATE'),
  'rate-bare': mended('ERR_GEMINI_RATE'),
  'quota-day': { code: 'ERR_GEMINI_QUOTA_DAY', ends: 'waiting' },
  'quota-zero': mended('ERR_GEMINI_QUOTA_NONE'),
  'key-invalid': mended('ERR_GEMINI_KEY'),
  unauthorized: mended('ERR_GEMINI_KEY'),
  forbidden: mended('ERR_GEMINI_KEY'),
  billing: mended('ERR_GEMINI_ACCOUNT'),
  invalid: { code: 'ERR_GEMINI_REQUEST', ends: 'failed' },
  'not-found': { code: 'ERR_MODEL_GONE', ends: 'failed' },
  'timeout-408': mended('ERR_GEMINI_UNAVAILABLE'),
  internal: mended('ERR_GEMINI_UNAVAILABLE'),
  'bad-gateway': mended('ERR_GEMINI_UNAVAILABLE'),
  unavailable: mended('ERR_GEMINI_UNAVAILABLE'),
  'gateway-timeout': mended('ERR_GEMINI_UNAVAILABLE'),
  cut: mended('ERR_GEMINI_BROKE_OFF'),
  reset: mended('ERR_GEMINI_BROKE_OFF'),
  'not-json': mended('ERR_GEMINI_UNAVAILABLE'),
  empty: mended('ERR_GEMINI_BROKE_OFF'),
  hang: mended('ERR_GEMINI_TIMEOUT'),
}

describe('a job that meets a fault on the way', () => {
  let darkroom: Bench
  beforeAll(async () => {
    darkroom = await openDarkroom({ clockFactor: 60 })
  })
  afterAll(() => darkroom[Symbol.asyncDispose]())

  it('has a row here for each fault that the stand-in can do', () => {
    expect(Object.keys(ENDS).toSorted()).toEqual(
      Object.keys(FAULTS)
        .filter(name => name !== 'slow')
        .toSorted(),
    )
  })

  it.for(Object.entries(ENDS) as [FaultName, End][])('%s', async ([fault, end]) => {
    const id = `fault.${fault}`
    darkroom.gemini.control.fail({ fault, times: 1, match: { promptIncludes: `<${id}>` } })
    // A day's quota closes its model for the day, for all the others too.
    const model = fault === 'quota-day' ? 'gemini-3.1-flash-lite-image' : undefined
    await darkroom.send({ id, operation: 'generate', prompt: `a lake <${id}>`, model })
    await until(`${id} is ${end.ends}`, async () => (await darkroom.row(id))?.status === end.ends)
    const row = await darkroom.row(id)
    const attempts = JSON.parse(String(row?.attempts)) as { outcome: string }[]
    expect(attempts[0]?.outcome).toBe(end.code)
    expect(attempts).toHaveLength(end.ends === 'done' ? 2 : 1)
    expect(await darkroom.depth('darkroom-jobs-dead-letter')).toBe(0)
    if (end.ends === 'failed') expect((await darkroom.result(`jobs/${id}/`)).error?.code).toBe(end.code)
  })

  it('waits for the next day in California when the quota of the day is spent', async () => {
    const row = await darkroom.row('fault.quota-day')
    expect(row).toMatchObject({ status: 'waiting', waitReason: 'ERR_GEMINI_QUOTA_DAY' })
    const format = { timeZone: 'America/Los_Angeles', hour: 'numeric', hourCycle: 'h23' } as const
    expect(new Date(Number(row?.waitUntil)).toLocaleString('en-US', format)).toMatch(/^0?[0-2]$/)
  })
})

test('a model that Google answers 404 for is followed by its successor, once, with a warning', async () => {
  await using darkroom = await openDarkroom({ clockFactor: 10 })
  darkroom.gemini.control.fail({ fault: 'not-found', match: { model: 'gemini-3.1-flash-image' } })
  await darkroom.send({ id: 'gone', operation: 'generate', prompt: 'a lake', model: 'nano-banana-2' })
  const result = await darkroom.result('jobs/gone/')
  expect(result.model).toEqual({
    requested: 'nano-banana-2',
    used: 'gemini-nano-banana-2.1',
    version: 'gemini-nano-banana-2.1',
  })
  expect(result.warnings.join()).toMatch(
    /gemini-3\.1-flash-image is no longer served: gemini-nano-banana-2\.1 ran instead/,
  )
})

test('a Gemini that refuses connections costs no job: it waits', async () => {
  const gone = await startGemini()
  await gone.close()
  await using darkroom = await openDarkroom({ clockFactor: 10, env: { GOOGLE_GEMINI_BASE_URL: gone.baseUrl } })
  await darkroom.send({ id: 'nobody', operation: 'generate', prompt: 'a lake' })
  await until('the job waits', async () => (await darkroom.row('nobody'))?.status === 'waiting')
  expect(await darkroom.row('nobody')).toMatchObject({ waitReason: 'ERR_GEMINI_UNAVAILABLE' })
})

test('a job that has waited for maxWaitHours fails and says what it waited for', async () => {
  await using darkroom = await openDarkroom({ clockFactor: 600 })
  await darkroom.putRecipe('settings', { maxWaitHours: 2 })
  darkroom.gemini.control.fail({ fault: 'rate', delayMs: 20 * 3_600_000 })
  await darkroom.send({ id: 'patient', operation: 'generate', prompt: 'a lake' })
  const result = await darkroom.result('jobs/patient/')
  expect(result).toMatchObject({ status: 'failed', error: { code: 'ERR_JOB_WAITED_TOO_LONG' } })
  expect(result.error?.message).toMatch(/maxWaitHours is 2; last reason: ERR_GEMINI_RATE/)
  const waitedMs = Date.parse(result.timing.endedAt) - Date.parse(result.timing.firstSeenAt)
  expect(waitedMs).toBeGreaterThanOrEqual(2 * 3_600_000)
  expect(waitedMs).toBeLessThan(6 * 3_600_000)
  expect(result.attempts).toHaveLength(1)
})
