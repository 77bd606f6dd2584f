import { PutObjectCommand } from '@aws-sdk/client-s3'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Edition } from '../../lib/aws/latest.ts'
import { toScheduleId } from '../../lib/tick.ts'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'

const FACTOR = 30
const PLACES = ['Oslo', 'Bergen', 'Tromsø', 'São Paulo', 'Rome']
const schedule = 'arn:aws:scheduler:eu-north-1:123456789012:schedule/default/weather'

describe('weather on a schedule', () => {
  let darkroom: Bench
  beforeAll(async () => {
    const rung = { places: ['Clockville'], kind: 'weather' }
    const placeholders = { schedule: '<aws.scheduler.schedule-arn>', time: '<aws.scheduler.scheduled-time>' }
    darkroom = await openDarkroom({
      clockFactor: FACTOR,
      schedules: [
        {
          name: 'often',
          functionName: 'schedule',
          expression: 'cron(* * * * ? *)',
          timeZone: 'Europe/Oslo',
          input: { ...rung, ...placeholders },
        },
      ],
    })
  })
  afterAll(() => darkroom[Symbol.asyncDispose]())

  const order = (time: string, fields: object = {}) => ({
    kind: 'weather',
    schedule,
    time,
    timeZone: 'Europe/Oslo',
    places: PLACES,
    days: 3,
    units: 'metric',
    ...fields,
  })
  /** As EventBridge Scheduler starts the function. */
  const tick = async (event: object) =>
    expect(await darkroom.stack.lambda.invoke('schedule', event)).toMatchObject({ ok: true })
  const latest = async (place: string) =>
    JSON.parse((await darkroom.fetch(`weather/${place}/latest.json`)).bytes.toString()) as Edition
  const callsFor = (words: string) => darkroom.gemini.calls.filter(({ prompt }) => prompt.includes(words))
  const idOf = (time: string, item: string) =>
    toScheduleId({ scheduleArn: schedule, plannedAt: Date.parse(time), item })

  it('moves four of five places on, leaves the one that was not looked up, and says why', async () => {
    await tick(order('2026-11-20T05:00:00Z'))
    await darkroom.results('weather/', 5)
    for (const place of PLACES) await until(`${place} is published`, async () => (await latest(place)).id !== '')

    darkroom.gemini.control.reply({ reply: 'ungrounded', match: { promptIncludes: 'for Rome' } })
    await tick(order('2026-11-21T05:00:00Z'))
    for (const place of PLACES) await darkroom.results(`weather/${place}/2026-11-21/`)
    darkroom.gemini.control.clear()

    for (const place of PLACES.slice(0, 4)) {
      const edition = await latest(place)
      const folder = `weather/${place}/2026-11-21/${idOf('2026-11-21T05:00:00Z', place)}`
      expect(edition).toEqual({
        id: idOf('2026-11-21T05:00:00Z', place),
        plannedAt: '2026-11-21T05:00:00.000Z',
        result: `${folder}/result.json`,
        image: `${folder}/image-1.jpg`,
        images: [`${folder}/image-1.jpg`],
        attribution: `${folder}/attribution.html`,
      })
      expect((await darkroom.fetch(edition.image)).contentType).toBe('image/jpeg')
    }
    expect((await latest('Rome')).plannedAt).toBe('2026-11-20T05:00:00.000Z')
    expect(await darkroom.result('weather/Rome/2026-11-21/')).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_REPLY_UNGROUNDED', remedy: 'change', message: expect.stringContaining('looked nothing up') },
      images: [],
      attempts: [{ outcome: 'reply' }, { outcome: 'reply' }],
    })
  })

  it('keeps what was looked up beside the picture, and counts it', async () => {
    const result = await darkroom.result('weather/Oslo/2026-11-20/')
    const folder = `weather/Oslo/2026-11-20/${result.job.id}`
    expect(result).toMatchObject({
      status: 'done',
      grounding: {
        queries: [expect.stringContaining('weather')],
        sources: [{ kind: 'web', uri: expect.stringMatching(/^https:/), title: 'almanac.example' }, {}],
      },
      cost: { searches: { webQueries: 1, usdAtMost: 0.014 } },
      warnings: [],
    })
    expect(result.cost.usd).toBeGreaterThan(0.014 + 0.0336)
    const page = await darkroom.fetch(`${folder}/attribution.html`)
    expect(page.contentType).toBe('text/html; charset=utf-8')
    expect(page.bytes.toString()).toContain('<img src="image-1.jpg"')
    expect(page.bytes.toString()).toContain('href="https://almanac.example/search')
    const data = JSON.parse((await darkroom.fetch(`${folder}/attribution.json`)).bytes.toString())
    expect(data).toMatchObject({ images: ['image-1.jpg'], searchEntryPoint: expect.stringContaining('chip') })
  })

  it('makes the same jobs when a tick is delivered twice', async () => {
    const event = order('2026-11-22T05:00:00Z', { places: ['Turin'] })
    await Promise.all([tick(event), tick(event)])
    await darkroom.result('weather/Turin/')
    await tick({ ...event, style: 'another by now' })
    await darkroom.drained()
    expect(callsFor('for Turin')).toHaveLength(1)
    expect(darkroom.notices.filter(({ key }) => key.startsWith('weather/Turin/'))).toHaveLength(1)
    expect(darkroom.notices.filter(({ key }) => key.startsWith('jobs/'))).toEqual([])
  })

  it('is not overwritten by an older job that ends later', async () => {
    const older = order('2026-11-23T05:00:00Z', { places: ['Genoa'] })
    darkroom.gemini.control.fail({
      fault: 'unavailable',
      match: { promptIncludes: 'for Genoa. The first day is 2026-11-23' },
    })
    await tick(older)
    const waiting = idOf('2026-11-23T05:00:00Z', 'Genoa')
    await until('the older job waits', async () => (await darkroom.row(waiting))?.status === 'waiting')
    await tick(order('2026-11-24T05:00:00Z', { places: ['Genoa'] }))
    await darkroom.result('weather/Genoa/2026-11-24/')
    darkroom.gemini.control.clear()
    expect(await darkroom.result('weather/Genoa/2026-11-23/')).toMatchObject({ status: 'done' })
    expect((await latest('Genoa')).plannedAt).toBe('2026-11-24T05:00:00.000Z')
  })

  it('counts a reply that was not looked up also when its function is long gone', async () => {
    const { control } = darkroom.gemini
    control.reply({ reply: 'ungrounded', match: { promptIncludes: 'for Lucca' } })
    const releaseFirst = control.hold({ promptIncludes: 'for Lucca' })
    await tick(order('2026-11-26T05:00:00Z', { places: ['Lucca'] }))
    const id = idOf('2026-11-26T05:00:00Z', 'Lucca')
    await until('the first call has begun', () => callsFor('for Lucca').length === 1)
    const releaseSecond = control.hold({ promptIncludes: 'for Lucca' })
    releaseFirst()
    await until('the second call has begun', () => callsFor('for Lucca').length === 2)
    control.fail({ fault: 'unavailable', match: { promptIncludes: 'for Lucca' } })
    releaseSecond()
    await until('the job waits', async () => (await darkroom.row(id))?.status === 'waiting')
    control.clear()
    control.reply({ reply: 'ungrounded', match: { promptIncludes: 'for Lucca' } })
    const { status, error, attempts } = await darkroom.result('weather/Lucca/')
    expect({ status, code: error?.code }).toEqual({ status: 'failed', code: 'ERR_REPLY_UNGROUNDED' })
    expect(attempts[0]?.outcome).toBe('reply')
    expect(attempts.filter(({ outcome }) => outcome === 'reply')).toHaveLength(2)
    expect(await darkroom.row(id)).toMatchObject({ status: 'failed', claim: expect.toSatisfy(count => count > 1) })
    control.clear()
  })

  it('with a forecast of its own looks nothing up', async () => {
    const Bucket = darkroom.env.UPLOADS_BUCKET
    const Body = JSON.stringify({ Pisa: { high: 12, low: 4 } })
    await darkroom.stack.s3.send(new PutObjectCommand({ Bucket, Key: 'facts/today.json', Body }))
    await tick(order('2026-11-25T05:00:00Z', { places: ['Pisa'], facts: `s3://${Bucket}/facts/today.json` }))
    const result = await darkroom.result('weather/Pisa/')
    expect(result).toMatchObject({ status: 'done', warnings: [] })
    expect(result.job.prompt).toContain('{"high":12,"low":4}')
    expect(result.grounding).toBeUndefined()
    expect(result.cost.searches).toBeUndefined()
    expect(await latest('Pisa')).toMatchObject({ id: result.job.id })
    expect(await latest('Pisa')).not.toHaveProperty('attribution')
  })

  it('is rung by the stack’s clock', async () => {
    const [first] = await darkroom.results('weather/Clockville/')
    expect(first?.status).toBe('done')
    const { plannedAt } = await latest('Clockville')
    expect(plannedAt).toMatch(/:00\.000Z$/)
    await until('the next minute’s is the newest', async () => (await latest('Clockville')).plannedAt > plannedAt)
  })

  it('can be no sender’s wish: an id of Darkroom’s own is refused in a body', async () => {
    const id = idOf('2999-01-01T00:00:00Z', 'Oslo')
    const MessageBody = JSON.stringify({ id, operation: 'generate', prompt: 'x', publishAs: 'weather/Oslo' })
    await darkroom.stack.sqs.send(new SendMessageCommand({ QueueUrl: darkroom.env.JOBS_QUEUE_URL, MessageBody }))
    expect(await darkroom.result('jobs/msg-')).toMatchObject({ status: 'failed', error: { code: 'ERR_JOB_INVALID' } })
  })

  it('refuses a faulty order with every fault, as a function’s error', async () => {
    const outcome = await darkroom.stack.lambda.invoke('schedule', order('soon', { days: 0 }))
    expect(outcome).toMatchObject({ ok: false, errorMessage: expect.stringContaining('time: is no time') })
  })
})
