import { describe, expect, test } from 'vitest'
import { EditError } from '../lib/errors.ts'
import { parseJob } from '../lib/job.ts'
import { parseOrder, placeOrder } from '../lib/orders.ts'
import { buildPrompt } from '../lib/prompts.ts'
import { readPlannedAt, toScheduleId } from '../lib/tick.ts'
import { caught } from './helpers/caught.ts'

const order = (fields: object = {}) => ({
  kind: 'weather',
  schedule: 'arn:aws:scheduler:eu-north-1:123456789012:schedule/default/weather',
  time: '2026-11-21T05:00:00Z',
  timeZone: 'Europe/Oslo',
  places: ['Oslo', 'São Paulo'],
  ...fields,
})

/** Places an order, and tells what was sent. */
async function place(event: unknown, files: Record<string, unknown> = {}) {
  const sent: { id: string; job: Record<string, unknown> }[] = []
  const reads: string[] = []
  const desk = {
    send: async (body: string, id: string) => void sent.push({ id, job: JSON.parse(body) }),
    readJson: async (uri: string) => {
      reads.push(uri)
      if (!(uri in files)) throw new EditError('ERR_ORDER_FACTS', `${uri} does not exist`)
      return files[uri]
    },
  }
  const error = await placeOrder(parseOrder(event), desk).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return { sent, reads, error }
}

describe('an order for weather', () => {
  test('is a job a place, published as that place', async () => {
    const { sent } = await place(order({ days: 3, units: 'metric', language: 'Norwegian', style: 'paper-cut' }))
    expect(sent.map(({ job }) => job)).toEqual([
      {
        operation: 'weather',
        slots: {
          place: 'Oslo',
          date: '2026-11-21',
          days: '3',
          units: 'metric',
          language: 'Norwegian',
          style: 'paper-cut',
        },
        prefix: 'weather/Oslo/2026-11-21',
        publishAs: 'weather/Oslo',
      },
      expect.objectContaining({ prefix: 'weather/São Paulo/2026-11-21', publishAs: 'weather/São Paulo' }),
    ])
  })

  test('makes jobs that the service takes, on the model and in the size it names', async () => {
    const { sent } = await place(
      order({ model: 'nano-banana-pro', imageConfig: { aspectRatio: '9:16', imageSize: '2K' } }),
    )
    const job = parseJob(sent[0]?.job)
    expect(job).toMatchObject({ model: 'nano-banana-pro', imageConfig: { aspectRatio: '9:16', imageSize: '2K' } })
    expect(buildPrompt(job)).toContain('Make a weather graphic for Oslo. The first day is 2026-11-21.')
    expect(buildPrompt(job)).toContain('Look up the current forecast')
  })

  test.each([
    ['Pacific/Kiritimati', '2026-11-21'],
    ['Pacific/Pago_Pago', '2026-11-20'],
    [undefined, '2026-11-21'],
  ])('is for the day that it is in %s when it was planned', async (timeZone, date) => {
    const { sent } = await place(order({ timeZone }))
    expect(sent[0]?.job).toMatchObject({ prefix: `weather/Oslo/${date}` })
  })

  test('makes the same ids when its tick is delivered twice, others at another time, place or schedule', async () => {
    const ids = async (fields: object) => (await place(order(fields))).sent.map(({ id }) => id)
    const first = await ids({})
    expect(await ids({ time: '2026-11-21T06:00:00+01:00' })).toEqual(first)
    const others = [{ time: '2026-11-22T05:00:00Z' }, { schedule: 'arn:aws:other' }, { places: ['Bergen', 'Rio'] }]
    for (const other of others) expect(await ids(other)).not.toEqual(expect.arrayContaining([first[0]]))
    expect(new Set(first).size).toBe(2)
    expect(first.map(readPlannedAt)).toEqual([Date.parse('2026-11-21T05:00:00Z'), Date.parse('2026-11-21T05:00:00Z')])
  })
})

describe('facts that an order brings along are the slot of their place, and nothing is looked up', () => {
  const oslo = { high: -2, low: -9 }
  test('inline, as JSON and as text', async () => {
    const { sent } = await place(order({ facts: { Oslo: oslo, 'São Paulo': 'rain, 19 °C' } }))
    expect(sent.map(({ job }) => (job.slots as Record<string, string>).facts)).toEqual([
      '{"high":-2,"low":-9}',
      'rain, 19 °C',
    ])
    expect(buildPrompt(parseJob(sent[0]?.job))).not.toContain('Look up')
  })

  test('in one file, which is read once', async () => {
    const file = { Oslo: oslo, 'São Paulo': [1, 2] }
    const { sent, reads } = await place(order({ facts: 's3://facts/today.json' }), { 's3://facts/today.json': file })
    expect(sent.map(({ job }) => (job.slots as Record<string, string>).facts)).toEqual([
      '{"high":-2,"low":-9}',
      '[1,2]',
    ])
    expect(reads).toEqual(['s3://facts/today.json'])
  })

  test('in a file of its place', async () => {
    const facts = { Oslo: 's3://facts/oslo.json', 'São Paulo': 'rain' }
    const { sent } = await place(order({ facts }), { 's3://facts/oslo.json': oslo })
    expect(sent.map(({ job }) => (job.slots as Record<string, string>).facts).toSorted()).toEqual([
      'rain',
      '{"high":-2,"low":-9}',
    ])
  })

  test.each<[string, unknown, Record<string, unknown>, string]>([
    ['a place they leave out', { 'São Paulo': 'rain' }, {}, 'the order brings no forecast for Oslo'],
    ['a file that is missing', { Oslo: 's3://f/o.json', 'São Paulo': 'rain' }, {}, 's3://f/o.json does not exist'],
    [
      'a place their file leaves out',
      's3://f/all.json',
      { 's3://f/all.json': { 'São Paulo': 'rain' } },
      's3://f/all.json brings no forecast for Oslo',
    ],
  ])('%s holds up no other, and is named', async (_, facts, files, message) => {
    const { sent, error } = await place(order({ facts }), files)
    expect(sent.map(({ job }) => job.publishAs)).toEqual(['weather/São Paulo'])
    expect(error).toMatchObject({ code: 'ERR_ORDER_FACTS', message: `1 of 2 jobs were not sent: ${message}` })
  })
})

test('trouble with the queue is no fault of the order: the tick comes again', async () => {
  const broken = new EditError('ERR_AWS_UNAVAILABLE', 'sqs:SendMessage failed')
  const desk = { readJson: async () => ({}), send: () => Promise.reject(broken) }
  expect(await caught(() => placeOrder(parseOrder(order({ facts: { Oslo: 'snow' } })), desk))).toBe(broken)
})

describe('an order is refused, with every fault by name', () => {
  test.each<[string, unknown, string]>([
    ['no object', 'weather', 'expected object'],
    ['another kind', order({ kind: 'tides' }), 'kind'],
    [
      'a placeholder that nobody filled in',
      order({ time: '<aws.scheduler.scheduled-time>' }),
      'time: is no time; EventBridge Scheduler fills in',
    ],
    ['no schedule', order({ schedule: '<aws.scheduler.schedule-arn>' }), 'schedule: is no ARN'],
    ['a time zone that is none', order({ timeZone: 'Europe/Atlantis' }), 'timeZone: is no time zone'],
    ['no places', order({ places: [] }), 'places'],
    ['a place that would climb', order({ places: ['..'] }), 'places.0: may not be ".", ".." or contain "/"'],
    ['a place with a slash', order({ places: ['a/b'] }), 'places.0'],
    ['a place twice', order({ places: ['Oslo', 'Oslo'] }), 'names a place twice'],
    ['half a day', order({ days: 0.5 }), 'days'],
    ['a field that is unknown', order({ citys: [] }), 'unknown field "citys"'],
    ['two faults', order({ days: 0, units: 'kelvin' }), 'units'],
  ])('%s', async (_, event, message) => {
    expect(await caught(() => parseOrder(event))).toMatchObject({
      code: 'ERR_ORDER_INVALID',
      remedy: 'change',
      message: expect.stringContaining(message),
    })
  })
})

test('the planned time is read from ids of schedules alone', () => {
  const id = toScheduleId({ scheduleArn: 'arn:x', plannedAt: 5, item: 'Oslo' })
  expect(id).toMatch(/^sch-5-[0-9a-f]{32}$/)
  expect(readPlannedAt(id)).toBe(5)
  for (const other of ['sch-5', 'sch-x-1', `msg-${id}`, 'up-5', `${id}0`]) expect(readPlannedAt(other)).toBeUndefined()
})
