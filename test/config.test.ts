import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { DEFAULT_SETTINGS, readConfig, readSettings } from '../lib/config.ts'

const env = {
  UPLOADS_BUCKET: 'my-uploads',
  RESULTS_BUCKET: 'my-results',
  RECIPES_BUCKET: 'my-recipes',
  UPLOADS_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/123456789012/uploads',
  JOBS_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/123456789012/jobs',
  BATCHES_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/123456789012/batches',
  LEDGER_TABLE: 'ledger',
  RESULTS_TOPIC_ARN: 'arn:aws:sns:eu-central-1:123456789012:results',
  GEMINI_API_KEY: 'a-very-secret-key',
}

const faultOf = (changes: Record<string, string | undefined>) => {
  try {
    readConfig({ ...env, ...changes })
  } catch (error) {
    return error as Error & { code: string }
  }
  throw new Error('the environment was accepted')
}

test('a whole environment becomes the configuration', () => {
  expect(readConfig(env)).toEqual({
    buckets: { uploads: 'my-uploads', results: 'my-results', recipes: 'my-recipes' },
    inputBuckets: ['my-uploads', 'my-results', 'my-recipes'],
    queues: {
      uploads: 'https://sqs.eu-central-1.amazonaws.com/123456789012/uploads',
      jobs: 'https://sqs.eu-central-1.amazonaws.com/123456789012/jobs',
      batches: 'https://sqs.eu-central-1.amazonaws.com/123456789012/batches',
    },
    ledgerTable: 'ledger',
    resultsTopicArn: 'arn:aws:sns:eu-central-1:123456789012:results',
    gemini: { apiKey: 'a-very-secret-key', apiKeyParameter: undefined, baseUrl: undefined },
    webhookSecret: { value: undefined, parameter: undefined },
    uploadedJobs: false,
    metricsNamespace: 'darkroom',
  })
})

test('addresses on one’s own machine are addresses too', () => {
  const { gemini, queues } = readConfig({
    ...env,
    JOBS_QUEUE_URL: 'http://127.0.0.1:4566/000000000000/jobs',
    GOOGLE_GEMINI_BASE_URL: 'http://127.0.0.1:8080',
  })
  expect([queues.jobs, gemini.baseUrl]).toEqual(['http://127.0.0.1:4566/000000000000/jobs', 'http://127.0.0.1:8080'])
})

describe('more buckets for inputs', () => {
  test.each([
    ['other-photos', ['other-photos']],
    ['one-bucket,two-bucket', ['one-bucket', 'two-bucket']],
    [' one-bucket, two-bucket\nthree-bucket,', ['one-bucket', 'two-bucket', 'three-bucket']],
    ['my-uploads', []],
    ['', []],
  ])('%j', (INPUT_BUCKETS, more) => {
    const { inputBuckets } = readConfig({ ...env, INPUT_BUCKETS })
    expect(inputBuckets).toEqual(['my-uploads', 'my-results', 'my-recipes', ...more])
  })
})

describe('a key may be given, or the name of a parameter that holds it', () => {
  test('the parameter alone is enough', () => {
    const { gemini } = readConfig({ ...env, GEMINI_API_KEY: undefined, GEMINI_API_KEY_PARAMETER: '/darkroom/key' })
    expect(gemini).toEqual({ apiKey: undefined, apiKeyParameter: '/darkroom/key', baseUrl: undefined })
  })
  test.each([undefined, ''])('a key that is %j is not set', GEMINI_API_KEY => {
    expect(faultOf({ GEMINI_API_KEY }).message).toContain('GEMINI_API_KEY or GEMINI_API_KEY_PARAMETER is not set')
  })
})

test.each([
  ['on', true],
  ['off', false],
  ['', false],
  [undefined, false],
])('uploaded jobs are %j: %j', (UPLOADED_JOBS, on) => {
  expect(readConfig({ ...env, UPLOADED_JOBS }).uploadedJobs).toBe(on)
})

describe('a faulty environment is refused by the name of its variable', () => {
  test.each(Object.keys(env).filter(name => name !== 'GEMINI_API_KEY'))('%s missing, or empty', name => {
    for (const value of [undefined, '']) {
      expect(faultOf({ [name]: value })).toMatchObject({
        code: 'ERR_CONFIG_INVALID',
        message: expect.stringContaining(`${name}:`),
      })
    }
  })

  test.each([
    ['UPLOADS_BUCKET', 'My_Bucket', 'is no bucket name'],
    ['RESULTS_TOPIC_ARN', 'results', 'is no ARN'],
    ['JOBS_QUEUE_URL', 'jobs', 'JOBS_QUEUE_URL:'],
    ['INPUT_BUCKETS', 'fine-bucket,NOT', 'is no bucket name'],
    ['GOOGLE_GEMINI_BASE_URL', 'localhost', 'GOOGLE_GEMINI_BASE_URL:'],
    ['UPLOADED_JOBS', 'yes', 'UPLOADED_JOBS:'],
    ['RESULTS_BUCKET', 'my-uploads', 'every result would start a job'],
    ['RECIPES_BUCKET', 'my-uploads', 'uploaders could change recipes'],
    ['RECIPES_BUCKET', 'my-results', 'RECIPES_BUCKET and RESULTS_BUCKET are the same'],
  ])('%s=%s', (name, value, message) => {
    expect(faultOf({ [name]: value }).message).toContain(message)
  })

  test('every fault at once, with where to set it, and without the key', () => {
    const { message, stack } = faultOf({ LEDGER_TABLE: undefined, UPLOADED_JOBS: 'yes', RESULTS_TOPIC_ARN: 'results' })
    expect(message).toContain('serverless.yml')
    for (const name of ['LEDGER_TABLE', 'UPLOADED_JOBS', 'RESULTS_TOPIC_ARN']) expect(message).toContain(name)
    expect(stack).not.toContain('a-very-secret-key')
  })
})

describe('settings.json', () => {
  test('an empty one changes nothing: a job waits a week', () => {
    expect(readSettings({})).toEqual({ ...DEFAULT_SETTINGS, defaultModel: undefined })
    expect(readSettings({}).maxWaitHours).toBe(168)
  })

  test('every field has its effect', () => {
    const settings = readSettings({
      defaultModel: 'nano-banana-pro',
      dailyBudgetUsd: 20,
      recipes: { postcard: { dailyBudgetUsd: 2 } },
      maxWaitHours: 24,
    })
    expect(settings).toMatchObject({ defaultModel: 'nano-banana-pro', maxWaitHours: 24 })
  })

  test('a price changes in one model and one field, the catalogue of others stays as it was', () => {
    const before = readSettings({}).catalogue['gemini-3-pro-image']
    const { catalogue } = readSettings({ models: { 'gemini-3-pro-image': { shutdown: '2027-01-01' } } })
    expect(catalogue['gemini-3-pro-image']).toEqual({ ...before, shutdown: '2027-01-01' })
    expect(readSettings({}).catalogue['gemini-3-pro-image']).toEqual(before)
  })

  test('tomorrow’s model needs no release', () => {
    const row = { ...readSettings({}).catalogue['gemini-3-pro-image'], nickname: 'Nano Banana 3' }
    expect(readSettings({ models: { 'gemini-5-image': row } }).catalogue['gemini-5-image']).toEqual(row)
  })

  test.each<[string, unknown, string]>([
    ['a list', [], ''],
    ['nothing', null, ''],
    ['a typo', { defaultModell: 'x' }, 'defaultModell'],
    ['a negative budget', { dailyBudgetUsd: -1 }, 'dailyBudgetUsd'],
    ['a wait of no hours', { maxWaitHours: 0 }, 'maxWaitHours'],
    ['a new model with half a row', { models: { 'gemini-5-image': { nickname: 'Five' } } }, 'prices'],
    ['a typo in a model', { models: { 'gemini-3-pro-image': { price: 1 } } }, 'price'],
    ['a day that is none', { models: { 'gemini-3-pro-image': { shutdown: '2027-02-30' } } }, 'shutdown'],
  ])('%s is refused', (_, json, named) => {
    expect(() => readSettings(json)).toThrow(z.ZodError)
    expect(() => readSettings(json)).toThrow(named)
  })
})
