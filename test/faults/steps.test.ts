import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FaultName } from '../../infra/local/gemini/faults.ts'
import { until } from '../helpers/darkroom.ts'
import type { AwsCall, LedgerWrite } from './aws-call.ts'
import { openStormy, type Stormy } from './stormy.ts'

type Step = {
  /** Before the call is carried out, or when it is and its answer has not come back; without one the model's call. */
  at?: 'request' | 'answer'
  call?: (call: AwsCall, id: string) => boolean
  /** What the first call of the model meets. */
  meets?: { fault: FaultName; delayMs?: number }
  /** Calls of the model that the stand-in sees. */
  calls: number
  /** Calls that the ledger counted; where a function died between the count and the call, one more. */
  counted?: number
  /** Claims until the job is over, at least: a function that is slow to start may give a job back once more. */
  claims: number
}

const wrote = (name: LedgerWrite) => (call: AwsCall, id: string) => call.ledger === name && call.target === `job#${id}`
const put = (file: string) => (call: AwsCall, id: string) =>
  call.action === 'PutObject' && call.target.endsWith(`/${id}/${file}`)

/** Every step of the flow, and what a job costs whose function is killed there. */
const STEPS: Record<string, Step> = {
  'before its claim': { at: 'request', call: wrote('claim'), calls: 1, claims: 1 },
  'after its claim': { at: 'answer', call: wrote('claim'), calls: 1, claims: 2 },
  'after its inputs': { at: 'request', call: wrote('attempt'), calls: 1, claims: 2 },
  'after its call is counted': { at: 'answer', call: wrote('attempt'), calls: 1, counted: 2, claims: 2 },
  'in its call': { meets: { fault: 'hang' }, calls: 2, claims: 2 },
  'after its reply came, before it is kept': { at: 'request', call: put('response-1.json'), calls: 2, claims: 2 },
  'after its reply is kept': { at: 'answer', call: put('response-1.json'), calls: 1, claims: 2 },
  'before its pictures are written': { at: 'request', call: put('image-1.jpg'), calls: 1, claims: 2 },
  'after its files': { at: 'request', call: put('result.json'), calls: 1, claims: 2 },
  'after result.json': { at: 'answer', call: put('result.json'), calls: 1, claims: 2 },
  'after latest.json': { at: 'answer', call: put('latest.json'), calls: 1, claims: 2 },
  'after the topic': {
    at: 'answer',
    call: ({ action, body }, id) => action === 'Publish' && body.includes(id),
    calls: 1,
    claims: 2,
  },
  'after its wait is written, before it is sent again': {
    meets: { fault: 'rate', delayMs: 60_000 },
    at: 'answer',
    call: wrote('wait'),
    calls: 2,
    claims: 2,
  },
  'after it is sent again, before its message goes': {
    meets: { fault: 'rate', delayMs: 60_000 },
    at: 'answer',
    call: ({ action, body }, id) => action === 'SendMessage' && body.includes(id),
    calls: 2,
    claims: 2,
  },
  'after the ledger is closed': { at: 'answer', call: wrote('close'), calls: 1, claims: 1 },
}

describe('a job whose function is killed', () => {
  let darkroom: Stormy
  const staged = new Map<string, Promise<string>>()
  beforeAll(async () => {
    // A killed function's message comes back after half an hour, so the hour is made short: 30 seconds.
    darkroom = await openStormy({ clockFactor: 120 })
    await darkroom.putInput('house.jpg')
    // One after the other, so that each is alone with its function when that is killed.
    for (const [title, step] of Object.entries(STEPS)) {
      const staging = stage(title, step)
      staged.set(title, staging)
      await staging.catch(() => {})
    }
  })
  afterAll(() => darkroom[Symbol.asyncDispose]())

  async function stage(title: string, { at, call, meets }: Step): Promise<string> {
    const id = title.replaceAll(/\W+/g, '-')
    const inputs = [`s3://${darkroom.env.RECIPES_BUCKET}/house.jpg`]
    const job = { id, operation: 'edit', prompt: `a house, <${id}>`, inputs, publishAs: `published/${id}` }
    if (meets) darkroom.gemini.control.fail({ ...meets, times: 1, match: { promptIncludes: `<${id}>` } })
    if (!at || !call) {
      await darkroom.send(job)
      await until('the call hangs', () => darkroom.callsFor(`<${id}>`).length === 1)
      darkroom.killOwner(id)
      return id
    }
    const reached = darkroom.proxy.hold(at, it => call(it, id))
    await darkroom.send(job)
    const held = await reached
    darkroom.killOwner(id)
    held.drop()
    return id
  }

  it.for(Object.entries(STEPS))('%s', async ([title, { calls, counted, claims }]) => {
    const id = (await staged.get(title)) as string
    const result = await darkroom.resultOf(id)
    expect(result).toMatchObject({ status: 'done', images: [{ width: 64, height: 64 }] })
    expect(darkroom.callsFor(`<${id}>`)).toHaveLength(calls)
    expect(darkroom.gemini.mostInFlight(darkroom.callsFor(`<${id}>`)[0]?.prompt)).toBe(1)
    const row = await darkroom.row(id)
    expect(row).toMatchObject({ status: 'done', calls: counted ?? calls })
    expect(row?.claim).toBeGreaterThanOrEqual(claims)
    expect(JSON.parse((await darkroom.fetch(`published/${id}/latest.json`)).bytes.toString())).toMatchObject({ id })
    for (const { key } of result.images) expect((await darkroom.fetch(key)).bytes.length).toBeGreaterThan(0)
  })

  it('leaves nothing in the queues and nothing in the dead letters', async () => {
    await until('the queue is empty', async () => (await darkroom.depth('darkroom-jobs')) === 0, 60_000)
    expect(await darkroom.depth('darkroom-jobs-dead-letter')).toBe(0)
  })
})
