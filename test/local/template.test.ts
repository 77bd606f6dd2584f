import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toNext } from '../../infra/local/schedules.ts'
import { at, readServerlessFile, type Value } from '../../infra/local/serverless-file.ts'
import { readTemplate } from '../../infra/local/template.ts'
import { parseOrder } from '../../lib/orders.ts'

const project = join(import.meta.dirname, '../..')

describe('the deployment', () => {
  const template = readTemplate(project)

  test.each(['upload', 'job'])('gives %s five minutes and batches of five, ten at a time', name => {
    const spec = template.functions.find(it => it.name === name)
    expect(spec).toMatchObject({
      timeoutMs: 300_000,
      sources: [{ batchSize: 5, maximumConcurrency: 10, reportsItemFailures: true }],
    })
  })

  test.each(['uploads', 'jobs', 'batches'])(
    'gives the %s queue six times that, twenty tries and a dead-letter queue',
    name => {
      const { attributes } = template.queues.find(queue => queue.name === `darkroom-${name}`) ?? {}
      const deadLetters = template.queues.find(queue => queue.name === `darkroom-${name}-dead-letter`)
      expect(attributes?.VisibilityTimeout).toBe('1800')
      expect(JSON.parse(attributes?.RedrivePolicy ?? '{}')).toEqual({
        deadLetterTargetArn: deadLetters?.arn,
        maxReceiveCount: 20,
      })
      expect(deadLetters).toBeDefined()
    },
  )

  test('tells the uploads queue of uploads, and nobody of results and recipes', () => {
    const uploads = template.queues.find(queue => queue.name === 'darkroom-uploads')
    expect(template.buckets).toEqual([
      { name: 'darkroom-uploads', queueArns: [uploads?.arn] },
      { name: 'darkroom-results', queueArns: [] },
      { name: 'darkroom-recipes', queueArns: [] },
    ])
  })

  test('gives the functions every name that they are promised', () => {
    expect(template.environment('http://127.0.0.1:1')).toEqual({
      UPLOADS_BUCKET: 'darkroom-uploads',
      RESULTS_BUCKET: 'darkroom-results',
      RECIPES_BUCKET: 'darkroom-recipes',
      UPLOADS_QUEUE_URL: 'http://127.0.0.1:1/000000000000/darkroom-uploads',
      JOBS_QUEUE_URL: 'http://127.0.0.1:1/000000000000/darkroom-jobs',
      BATCHES_QUEUE_URL: 'http://127.0.0.1:1/000000000000/darkroom-batches',
      LEDGER_TABLE: 'darkroom-ledger',
      RESULTS_TOPIC_ARN: 'arn:aws:sns:us-east-1:000000000000:darkroom-results',
      INPUT_BUCKETS: '',
      GEMINI_API_KEY_PARAMETER: '/darkroom/local/gemini-api-key',
      GEMINI_WEBHOOK_SECRET_PARAMETER: '/darkroom/local/gemini-webhook-secret',
      UPLOADED_JOBS: 'off',
      METRICS_NAMESPACE: 'darkroom-local',
    })
  })
})

describe('the example schedule', () => {
  const [event] = at(readServerlessFile(project, 'local'), ['functions', 'schedule', 'events']) as Value[]
  const schedule = at(event, ['schedule'])

  test('is switched off, so that nothing is billed that nobody asked for', () => {
    expect(at(schedule, ['enabled'])).toBe(false)
    expect(readTemplate(project).schedules.map(({ functionName }) => functionName)).toEqual(['batch-submit'])
  })

  test('rings with a role of its own, not with the function’s', () => {
    expect(at(schedule, ['roleArn'])).toEqual({ 'Fn::Sub': `\${SchedulerRole.Arn}` })
  })

  test('rings an order that the function takes', () => {
    const input = JSON.stringify(at(schedule, ['input']))
      .replace('<aws.scheduler.schedule-arn>', 'arn:aws:scheduler:eu-north-1:123456789012:schedule/default/weather')
      .replace('<aws.scheduler.scheduled-time>', '2026-11-21T05:00:00Z')
    expect(parseOrder(JSON.parse(input)).tasks.map(({ item }) => item)).toEqual(['Oslo', 'Bergen', 'Tromsø'])
    const expression = String(at(schedule, ['rate']))
    const next = toNext({ expression, timeZone: String(at(schedule, ['timezone'])) })
    expect(next(Date.parse('2026-11-21T00:00:00Z'))).toBe(Date.parse('2026-11-21T05:00:00Z'))
  })
})

describe('a serverless.yml is refused', () => {
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'darkroom-test-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test.each([
    ['a variable of a kind that is not known', `service: '\${env:HOME}'`, `\${env:HOME}`],
    ['a variable that is nowhere defined', `service: '\${self:nowhere}'`, `\${self:nowhere}`],
    ['a time-out that is missing', 'functions: { job: {} }', 'timeout of job'],
  ])('for %s, by name', async (_, text, named) => {
    await writeFile(join(folder, 'serverless.yml'), text)
    expect(() => readTemplate(folder)).toThrow(named)
  })

  test('for a reference to a resource that is not there, by name', async () => {
    await writeFile(join(folder, 'serverless.yml'), 'provider: { environment: { A: !Ref Missing } }')
    expect(() => readTemplate(folder).environment('')).toThrow('Missing')
  })
})
