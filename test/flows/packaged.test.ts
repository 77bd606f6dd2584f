import { readFile } from 'node:fs/promises'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findGrants } from '../../infra/checks/grants.ts'
import { ofType, readPackaged } from '../../infra/checks/template.ts'
import { PACKAGE_FOLDER } from '../../infra/deploy/package.ts'
import type { AwsCall } from '../../infra/local/aws/call-record.ts'
import { buildS3Event } from '../../infra/local/aws/s3-events.ts'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'
import { startParameterStore } from '../helpers/parameter-store.ts'
import { photo } from '../helpers/photos.ts'
import { readRoles, toKeyId, toText } from '../helpers/roles.ts'

const SECRET = `whsec_${Buffer.from('known to the stack alone').toString('base64')}`
const PARAMETER = '/darkroom/dev/gemini-api-key'
const KEY_GRANT = `ssm:GetParameter arn:aws:ssm:us-east-1:000000000000:parameter${PARAMETER}`

/** What a role allows although no call of the function's own ever needs it here, and why. */
const NOT_SEEN: Record<string, string> = {
  'logs:CreateLogStream': 'Lambda writes the log with it',
  'logs:PutLogEvents': 'Lambda writes the log with it',
  'sqs:ReceiveMessage': 'Lambda polls with it',
  'sqs:DeleteMessage': 'Lambda polls with it',
  's3:GetObjectVersion': 'the local S3 keeps no versions',
}

/** What only a batch that goes wrong needs: its tests are those of the lane, in one process. */
const BATCH_COLLECT_WHEN_WRONG = [
  'sqs:GetQueueAttributes arn:aws:sqs:us-east-1:000000000000:darkroom-batches',
  'sqs:ChangeMessageVisibility arn:aws:sqs:us-east-1:000000000000:darkroom-batches',
  'sqs:SendMessage arn:aws:sqs:us-east-1:000000000000:darkroom-batches',
  'sqs:SendMessage arn:aws:sqs:us-east-1:000000000000:darkroom-batches-dead-letter',
  'sqs:SendMessage arn:aws:sqs:us-east-1:000000000000:darkroom-jobs',
]
/** The webhook's secret stands in the local environment, where there is one parameter. */
const WEBHOOK_SECRET =
  'ssm:GetParameter arn:aws:ssm:us-east-1:000000000000:parameter/darkroom/dev/gemini-webhook-secret'

/** Lambda sends there, in the function's name, what it could not carry out; the local one has no asynchronous queue. */
const BURY = 'sqs:SendMessage arn:aws:sqs:us-east-1:000000000000:darkroom-schedules-dead-letter'

const NOT_SEEN_OF: Record<string, readonly string[]> = {
  'local-schedule': [BURY],
  'local-batch-submit': [BURY],
  'local-batch-collect': BATCH_COLLECT_WHEN_WRONG,
  'local-webhook': [WEBHOOK_SECRET],
}

const template = readPackaged(PACKAGE_FOLDER)
const functions = ofType(template, 'AWS::Lambda::Function').map(([id]) => id)
const calls: AwsCall[] = []
let store: Awaited<ReturnType<typeof startParameterStore>>
let darkroom: Bench

beforeAll(async () => {
  store = await startParameterStore(PARAMETER, 'AIza-of-yesterday')
  darkroom = await openDarkroom({
    clockFactor: 30,
    onAwsCall: call => calls.push(call),
    env: {
      GEMINI_WEBHOOK_SECRET: SECRET,
      GEMINI_API_KEY: undefined,
      GEMINI_API_KEY_PARAMETER: PARAMETER,
      AWS_ENDPOINT_URL_SSM: store.endpoint,
    },
  })
})
afterAll(async () => {
  await darkroom[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
})

const generate = (id: string) => ({ id, operation: 'generate', prompt: `a lake <${id}>` })
const isOver = (id: string, status: string) =>
  until(`${id} is ${status}`, async () => (await darkroom.row(id))?.status === status)

it('a key that was rotated mends itself, and stands in no environment and no log', async () => {
  await darkroom.send(generate('early'))
  await isOver('early', 'waiting')
  expect(await darkroom.row('early')).toMatchObject({ waitReason: 'ERR_GEMINI_KEY' })
  store.value = darkroom.gemini.apiKey
  await isOver('early', 'done')
  const asked = store.asked.length
  await darkroom.send(generate('late'))
  await isOver('late', 'done')
  expect(store.asked.length).toBe(asked)
  const lines = darkroom.lines.join('\n')
  for (const secret of ['AIza-of-yesterday', darkroom.gemini.apiKey]) expect(lines).not.toContain(`"${secret}"`)
  expect(lines).not.toContain('AIza')
  expect(JSON.stringify(template)).not.toContain(darkroom.gemini.apiKey)
})

it('the functions as packaged bring photos, jobs, refusals, waits, doubles and dead letters to their ends', async () => {
  const { stack, env, gemini } = darkroom
  const sendUpload = (MessageBody: string) =>
    stack.sqs.send(new SendMessageCommand({ QueueUrl: env.UPLOADS_QUEUE_URL, MessageBody }))
  const bytes = await readFile(photo('nagasaki-boats'))

  gemini.control.fail({ fault: 'unavailable', times: 12, match: { promptIncludes: 'watercolour' } })
  await darkroom.drop('watercolour/boats.jpg', bytes)
  expect((await darkroom.result('watercolour/boats/')).status).toBe('done')
  await darkroom.drop('nowhere/boats.jpg', bytes)
  expect((await darkroom.result('nowhere/boats/')).error?.code).toBe('ERR_UPLOAD_NO_RECIPE')
  const gone = {
    eventName: 'ObjectCreated:Put',
    bucket: env.UPLOADS_BUCKET ?? '',
    key: 'watercolour/gone.jpg',
    sizeBytes: 9,
    etag: 'ab',
  }
  // Twice in one batch: the second finds the first at work.
  const double = JSON.stringify(buildS3Event({ ...gone, key: 'watercolour/boats.jpg', etag: '' }))
  await stack.pausePollers()
  await Promise.all([double, double, JSON.stringify(buildS3Event(gone)), '{}'].map(sendUpload))
  const job = JSON.stringify({ ...generate('double'), inputs: [] })
  await Promise.all([job, job, 'no job'].map(darkroom.sendRaw))
  await darkroom.send({
    id: 'missing',
    operation: 'edit',
    prompt: 'x',
    inputs: [`s3://${env.UPLOADS_BUCKET}/gone.jpg`],
  })
  gemini.control.reply({ reply: 'SAFETY', times: 1, match: { promptIncludes: '<refused>' } })
  await darkroom.send(generate('refused'))
  gemini.control.fail({ fault: 'unavailable', times: 12, match: { promptIncludes: '<waits>' } })
  await darkroom.send(generate('waits'))
  stack.resumePollers()
  await isOver('missing', 'failed')
  await isOver('refused', 'refused')
  await isOver('waits', 'done')
  await isOver('double', 'done')
  const order = {
    kind: 'weather',
    schedule: 'arn:aws:scheduler:eu-north-1:123456789012:schedule/default/weather',
    time: '2026-11-20T05:00:00Z',
    timeZone: 'Europe/Oslo',
    places: ['Oslo'],
    days: 3,
    units: 'metric',
  }
  expect(await stack.lambda.invoke('schedule', order)).toMatchObject({ ok: true })
  const facts = {
    Oslo: `s3://${env.RECIPES_BUCKET}/facts.json`,
    Bergen: `s3://${env.RECIPES_BUCKET}/none.json`,
    Rome: `s3://${env.UPLOADS_BUCKET}/none.json`,
  }
  await darkroom.putRecipe('facts', { high: 12, low: 4 })
  const sourced = { ...order, time: '2026-11-21T05:00:00Z', places: Object.keys(facts), facts }
  expect(await stack.lambda.invoke('schedule', sourced)).toMatchObject({
    ok: false,
    errorMessage: expect.stringContaining('2 of 3 jobs were not sent'),
  })
  await darkroom.results('weather/', 2)
  await darkroom.drained()
  for (const name of ['uploads', 'jobs']) expect(await darkroom.depth(`darkroom-${name}-dead-letter`)).toBe(1)
})

it('the functions as packaged bring a job of the batch lane to its end', async () => {
  const { stack, gemini } = darkroom
  const tick = () => stack.lambda.invoke('batch-submit', {})
  const park = async (id: string) => {
    await darkroom.send({ ...generate(id), lane: 'batch' })
    await isOver(id, 'batched')
    expect(await tick()).toMatchObject({ ok: true })
    await gemini.batches.finish()
  }
  await park('slow')
  expect(await tick()).toMatchObject({ ok: true })
  await isOver('slow', 'done')
  expect(darkroom.lines.find(line => line.includes('"batch under way"'))).toMatch(/"batchHours":\d/)
  const url = stack.functionUrls.webhook ?? ''
  expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401)
  gemini.webhooks.add('darkroom', url, undefined, SECRET)
  await park('called')
  await isOver('called', 'done')
  // A tick of the clock may have been there first.
  await until('the webhook has answered', () => darkroom.lines.some(line => line.includes('"message":"webhook"')))
})

it.each(functions)('%s called nothing that its role does not allow', id => {
  const granted = readRoles(template).get(toKeyId(id))
  const needed = new Set(calls.filter(call => call.accessKeyId === toKeyId(id)).map(toText))
  expect(needed.size).toBeGreaterThan(0)
  expect([...needed].filter(call => !granted?.has(call))).toEqual([])
})

it.each(functions)('%s needed all that its role allows', id => {
  const seen = calls.filter(call => call.accessKeyId === toKeyId(id)).map(toText)
  const needed = new Set([...seen, ...(NOT_SEEN_OF[toKeyId(id)] ?? [])])
  if (store.asked.includes(toKeyId(id))) needed.add(KEY_GRANT)
  const spare = findGrants(template, id).filter(grant => !(grant.action in NOT_SEEN) && !needed.has(toText(grant)))
  expect(spare.map(toText)).toEqual([])
})
