import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../helpers/darkroom.ts'
import type { AwsCall, LedgerWrite } from './aws-call.ts'
import { FAULTS, type Fault } from './aws-proxy.ts'
import { openStormy, type Stormy } from './stormy.ts'

type Call = (call: AwsCall, id: string) => boolean

const wrote =
  (name: LedgerWrite): Call =>
  (call, id) =>
    call.ledger === name && call.target === `job#${id}`
const put =
  (file: string): Call =>
  (call, id) =>
    call.action === 'PutObject' && call.target.endsWith(`/${id}/${file}`)

/** Every call to AWS that a job's way to its result takes. */
const CALLS: Record<string, Call> = {
  'the claim': wrote('claim'),
  "the input's facts": ({ action, target }, id) => action === 'HeadObject' && target.endsWith(`/${id}.jpg`),
  'the input': ({ action, target }, id) => action === 'GetObject' && target.endsWith(`/${id}.jpg`),
  'the count of its call': wrote('attempt'),
  'the reply': put('response-1.json'),
  'a picture': put('image-1.jpg'),
  'result.json': put('result.json'),
  'latest.json': put('latest.json'),
  'the notice': ({ action, body }, id) => action === 'Publish' && body.includes(id),
  'the end in the ledger': wrote('close'),
}

/** The tries of AWS's SDK: a fault that lasts longer is seen by Darkroom itself. */
const SDK_TRIES = 3

/** At this pace a function has thirty seconds: a silent connection is given up after five, which no clock makes shorter. */
const SLOW = 10
const STORIES = [
  { faults: FAULTS.filter(fault => fault !== 'hang'), clockFactor: 20 },
  { faults: ['hang'] as const, clockFactor: SLOW },
] satisfies { faults: readonly Fault[]; clockFactor: number }[]

describe.for(STORIES)('a job is done, and paid once, though AWS ($faults.0, …)', ({ faults, clockFactor }) => {
  let darkroom: Stormy
  beforeAll(async () => {
    darkroom = await openStormy({ clockFactor })
  })
  afterAll(() => darkroom[Symbol.asyncDispose]())

  async function run(id: string, match: Call, fault: Fault, times: number) {
    await darkroom.putInput(`${id}.jpg`)
    darkroom.proxy.fail({ fault, times, match: call => match(call, id) })
    const inputs = [`s3://${darkroom.env.RECIPES_BUCKET}/${id}.jpg`]
    await darkroom.send({ id, operation: 'edit', prompt: `a house, <${id}>`, inputs, publishAs: `published/${id}` })
    const result = await darkroom.resultOf(id)
    expect(result).toMatchObject({ status: 'done', attempts: [{ attempt: 1, outcome: 'reply' }] })
    expect(darkroom.callsFor(`<${id}>`)).toHaveLength(1)
    return darkroom.row(id)
  }

  const cases = Object.entries(CALLS).flatMap(([what, match]) => faults.map(fault => [what, fault, match] as const))

  // Also of one fault the SDK may make an error: where many of its calls failed just before, it tries no more.
  it.concurrent.for(cases)('meets %s with %s once', async ([what, fault, match]) => {
    const id = `once-${what}-${fault}`.replaceAll(/\W+/g, '-')
    expect(await run(id, match, fault, 1)).toMatchObject({ status: 'done', calls: 1 })
  })

  it.concurrent.for(cases)('meets %s with %s until the SDK gives up', async ([what, fault, match]) => {
    const id = `long-${what}-${fault}`.replaceAll(/\W+/g, '-')
    expect(await run(id, match, fault, SDK_TRIES)).toMatchObject({ status: 'done', calls: 1 })
  })

  it('leaves nothing in the queue', async () => {
    await until('the queue is empty', async () => (await darkroom.depth('darkroom-jobs')) === 0, 60_000)
    expect(await darkroom.depth('darkroom-jobs-dead-letter')).toBe(0)
  })
})

/** What a job takes to wait: its row says until when, its message comes again then. */
const WAITS: Record<string, Call> = {
  'the wait in the ledger': wrote('wait'),
  'the message that is sent again': ({ action, body }, id) => action === 'SendMessage' && body.includes(`<${id}>`),
}

describe('a job that has to wait is done after it, though AWS', () => {
  let darkroom: Stormy
  beforeAll(async () => {
    darkroom = await openStormy({ clockFactor: 60 })
  })
  afterAll(() => darkroom[Symbol.asyncDispose]())

  const faults = FAULTS.filter(fault => fault !== 'hang')
  const cases = Object.entries(WAITS).flatMap(([what, match]) =>
    faults.flatMap(fault => [1, SDK_TRIES].map(times => [what, fault, times, match] as const)),
  )

  it.concurrent.for(cases)('meets %s with %s (%d times)', async ([what, fault, times, match]) => {
    const id = `${times}-${what}-${fault}`.replaceAll(/\W+/g, '-')
    darkroom.gemini.control.fail({ fault: 'rate', delayMs: 40_000, times: 1, match: { promptIncludes: `<${id}>` } })
    darkroom.proxy.fail({ fault, times, match: call => match(call, id) })
    await darkroom.send({ id, operation: 'generate', prompt: `a house, <${id}>` })
    const { status } = await darkroom.resultOf(id)
    expect(status).toBe('done')
    expect(darkroom.callsFor(`<${id}>`)).toHaveLength(2)
    // Lost answers must not make the job look like somebody else's: it says itself that it waits.
    const saysSo = (line: string) => ['job waits', 'ERR_GEMINI_RATE', `"${id}"`].every(part => line.includes(part))
    expect(darkroom.lines.some(saysSo)).toBe(true)
  })
})
