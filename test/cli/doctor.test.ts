import { once } from 'node:events'
import { createServer } from 'node:http'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { readPackaged } from '../../infra/checks/template.ts'
import { checkEnvironment } from '../../infra/cli/doctor/environment.ts'
import { type Finding, toText } from '../../infra/cli/doctor/finding.ts'
import { checkGoogle } from '../../infra/cli/doctor/google.ts'
import { checkRecipes, checkSettings } from '../../infra/cli/doctor/policy.ts'
import { buildProbe } from '../../infra/cli/doctor/probe.ts'
import { checkPace, checkVisibility, readSources, type Source } from '../../infra/cli/doctor/sources.ts'
import { checkPackaged, checkZones } from '../../infra/cli/doctor/template.ts'
import { PACKAGE_FOLDER } from '../../infra/deploy/package.ts'
import { type Gemini, startGemini } from '../../infra/local/gemini/server.ts'
import { startStack } from '../../infra/local/stack.ts'
import { DEFAULT_SETTINGS } from '../../lib/config.ts'
import { runScript } from '../helpers/command.ts'

let gemini: Gemini
beforeAll(async () => {
  gemini = await startGemini()
})
afterAll(() => gemini[Symbol.asyncDispose]())

const model = 'gemini-nano-banana-2.1'
const models = [model]
const headOf = ({ verdict, what }: Finding) => `${verdict} ${what}`
const packaged = readPackaged(PACKAGE_FOLDER)

describe('Google', () => {
  const ask = async (options: object) => (await checkGoogle({ ...gemini, models, ...options })).map(headOf)

  test('a good key, living models and known fields are found well, and nothing is drawn for it', async () => {
    expect(await ask({ models: [model, 'gemini-3-pro-image'] })).toEqual([
      `ok the key opens, and ${model} is alive`,
      'ok the key opens, and gemini-3-pro-image is alive',
      'ok Google knows every field that Darkroom sends',
    ])
    expect(gemini.calls.filter(call => call.status === 200)).toEqual([])
  })

  test.each([
    ['a wrong key', { apiKey: 'wrong' }, 'FAIL Google refuses the key'],
    ['no key', { apiKey: undefined }, 'FAIL there is no key'],
    ['a key with a blank inside', { apiKey: 'AIza and more' }, 'FAIL the key has a blank or a line break'],
    [
      'a model that is gone',
      { models: ['imagen-4.0-generate-001'] },
      'FAIL the key opens; Google has no model imagen-4',
    ],
    ['a dead network', { baseUrl: 'http://127.0.0.1:9' }, "FAIL Google can't be reached"],
  ])('%s is told', async (_, options, head) => {
    expect(await ask(options)).toEqual([expect.stringContaining(head)])
  })
})

describe('the probe of the fields', () => {
  /** Google's answer, whatever is asked. */
  async function startAnswer(status: number, message: string) {
    const server = createServer((request, response) => {
      const isProbe = request.method === 'POST'
      request.resume().on('end', () => {
        response.writeHead(isProbe ? status : 200).end(JSON.stringify(isProbe ? { error: { message } } : {}))
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    return `http://127.0.0.1:${(server.address() as { port: number }).port}`
  }
  const unknown = (name: string) => `Invalid JSON payload received. Unknown name "${name}": Cannot find field.\n`

  test('has every field that a job can make Darkroom send, and is refused', async () => {
    const body = JSON.parse(await buildProbe(model)) as object
    expect(Object.keys(body).toSorted()).toEqual([
      'contents',
      'darkroomDoctor',
      'generationConfig',
      'systemInstruction',
      'tools',
    ])
    for (const name of ['inlineData', 'fileUri', 'aspectRatio', 'imageSize', 'thinkingLevel', 'imageSearch'])
      expect(JSON.stringify(body)).toContain(`"${name}"`)
  })

  test.each([
    [
      'a field that Google has given up',
      400,
      unknown('darkroomDoctor') + unknown('imageSize'),
      'FAIL Google knows no field imageSize',
    ],
    ['a Google that is busy', 503, 'overloaded', 'note the probe of the fields was answered with HTTP 503: overloaded'],
    ['another refusal', 400, 'no billing', 'note the probe of the fields was answered with HTTP 400: no billing'],
  ])('%s is told', async (_, status, message, head) => {
    const baseUrl = await startAnswer(status, message)
    const findings = await checkGoogle({ apiKey: 'AIza', baseUrl, models })
    expect(findings.map(headOf)).toEqual([`ok the key opens, and ${model} is alive`, head])
  })
})

describe('policy', () => {
  test.each([
    ['no settings', undefined, 'FAIL no daily budget is set'],
    ['a budget', '{ "dailyBudgetUsd": 25 }', 'ok the daily budget is $25'],
    ['a budget of nothing', '{ "dailyBudgetUsd": 0 }', 'note the daily budget is $0'],
    ['a typo', '{ "dailyBudget": 1 }', 'FAIL settings.json is faulty: unknown field "dailyBudget"'],
    ['half a file', '{ "dailyBudgetUsd"', 'FAIL settings.json is no JSON'],
  ])('%s is told', (_, text, head) => {
    expect(checkSettings(text).findings.map(headOf)).toEqual([head])
  })

  const look = (recipe: object, defaultModel?: string) =>
    checkRecipes(new Map([['old.json', JSON.stringify(recipe)]]), { ...DEFAULT_SETTINGS, defaultModel }, '2026-11-21')
  const operation = 'photo'

  test('a model that was shut down is told with what runs instead, and so is one that soon will be', () => {
    const { findings, models } = look({ operation, model: 'imagen-4.0-generate-001' })
    expect(findings.map(toText).join()).toContain('note  old.json asks for imagen-4.0-generate-001')
    expect(findings[0]).toMatchObject({
      means: expect.stringContaining('shut down on 2026-08-17'),
      todo: `write ${model}, or another live model`,
    })
    expect(models).toEqual([model])
    expect(look({ operation, model: 'nano-banana' }).findings[0]?.means).toContain('deprecated')
    expect(look({ operation }, 'nano-banana').findings.map(headOf)).toEqual(['note settings.json asks for nano-banana'])
  })

  test('a recipe that no photo could use is told, and good ones are counted', () => {
    expect(look({ operation: 'paint' }).findings.map(headOf)).toEqual([
      expect.stringContaining('FAIL recipe old.json: operation'),
    ])
    expect(look({ operation }).findings.map(headOf)).toEqual([expect.stringContaining('ok 1 recipes')])
  })
})

describe('queues and pace', () => {
  const source: Source = {
    queue: 'jobs',
    functionName: 'darkroom-dev-job',
    timeoutS: 300,
    visibilityS: 1800,
    batchSize: 5,
    maximumConcurrency: 10,
    isOn: true,
  }

  test('the shipped queues hide messages long enough, and only functions that draw count: 2 × 10 × 5 jobs', () => {
    const sources = readSources(packaged)
    expect(checkVisibility(sources).map(headOf)).toEqual([expect.stringContaining('ok each of 3 queues')])
    expect(checkPace(sources, model, 200)).toMatchObject({
      verdict: 'ok',
      what: expect.stringContaining('100 jobs run at once'),
    })
  })

  test.each([
    [
      'a limit that is not known',
      [source],
      undefined,
      'note 50 jobs run at once, about 100 calls a minute',
      'until Google answers 429',
    ],
    ['a limit that is met', [source], 99, 'note 50 jobs run at once', 'wait for a slot'],
    ['a limit that is not met', [source], 100, 'ok 50 jobs run at once', ''],
    [
      'no bound',
      [{ ...source, maximumConcurrency: Number.POSITIVE_INFINITY }],
      100,
      'FAIL Infinity jobs',
      'all of the account',
    ],
  ])('%s is told', (_, sources, limit, head, means) => {
    const finding = checkPace(sources, model, limit)
    expect(headOf(finding)).toContain(head)
    expect(finding.means ?? '').toContain(means)
    expect(finding.todo === undefined).toBe(finding.verdict === 'ok')
  })

  test('a queue that hides messages too shortly, and one that nobody reads, are told', () => {
    expect(checkVisibility([{ ...source, visibilityS: 1799 }]).map(headOf)).toEqual([
      'FAIL jobs hides a message for 1799 s, and darkroom-dev-job may take 300 s',
    ])
    expect(checkVisibility([{ ...source, isOn: false }]).map(headOf)).toEqual([
      'FAIL darkroom-dev-job does not read jobs',
    ])
  })
})

describe('template and environment', () => {
  test.each([
    ['Mars/Olympus', 'Mars/Olympus', 'FAIL'],
    ['Europe/Oslo', 'America/Lima', 'FAIL'],
    ['Europe/Oslo', 'Europe/Oslo', 'ok'],
  ])('a schedule that rings in %s and counts its days in %s: %s', (zone, timeZone, verdict) => {
    const template = structuredClone(packaged)
    const schedule = template.Resources.ScheduleSchedulerSchedule1?.Properties
    Object.assign(schedule ?? {}, { ScheduleExpressionTimezone: zone, Target: { Input: JSON.stringify({ timeZone }) } })
    expect(checkZones(template).at(-1)).toMatchObject({ verdict, what: expect.stringContaining(zone) })
  })

  test('nothing packaged, one bucket for two and a key in the environment are told', () => {
    expect(checkPackaged('/nowhere').findings.map(headOf)).toEqual(['FAIL nothing is packaged'])
    const env = {
      ...{ UPLOADS_BUCKET: 'one', RESULTS_BUCKET: 'two', RECIPES_BUCKET: 'three', LEDGER_TABLE: 'ledger' },
      ...{ UPLOADS_QUEUE_URL: 'http://a/1', JOBS_QUEUE_URL: 'http://a/2', BATCHES_QUEUE_URL: 'http://a/3' },
      ...{ RESULTS_TOPIC_ARN: 'arn:t', GEMINI_API_KEY_PARAMETER: '/own/key' },
    }
    const look = (more: object) => checkEnvironment({ ...env, ...more }, 'dev')
    expect(look({})).toMatchObject({ findings: [{ verdict: 'ok' }], keyParameter: '/own/key' })
    expect(look({ RESULTS_BUCKET: 'one' }).findings.map(headOf).join()).toContain('every result would start a job')
    expect(look({ GEMINI_API_KEY: 'AIza' }).findings.map(headOf).join()).toContain('FAIL the key stands in')
  })
})

test('against the local stack and the stand-in it looks at what lies there, and costs nothing', async () => {
  await using stack = await startStack({ functions: [], gemini })
  const env = {
    ...stack.env,
    ...{ AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' },
  }
  const before = await runScript('infra/cli/darkroom.ts', ['doctor'], env)
  expect(before.out).toContain('FAIL  no daily budget is set')
  expect(before.code).toBe(1)
  const Body = JSON.stringify({ dailyBudgetUsd: 25, models: { [model]: { requestsPerMinute: 300 } } })
  await stack.s3.send(new PutObjectCommand({ Bucket: stack.env.RECIPES_BUCKET, Key: 'settings.json', Body }))
  const after = await runScript('infra/cli/darkroom.ts', ['doctor'], env)
  expect(after.err + after.out).not.toMatch(/FAIL|note/)
  expect(after.code).toBe(0)
  expect(gemini.calls.filter(call => call.status === 200)).toEqual([])
})
