import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readTemplate } from '../../infra/local/template.ts'

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
    })
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
