import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { GetFunctionConfigurationCommand, LambdaClient, ListEventSourceMappingsCommand } from '@aws-sdk/client-lambda'
import {
  DeleteObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { GetQueueUrlCommand, SetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { putRecipes } from '../../infra/deploy/deploy.ts'
import { tellOwnRecipes } from '../../infra/deploy/holdings.ts'
import { PACKAGE_FOLDER } from '../../infra/deploy/package.ts'
import { readStack, type StackResources } from '../../infra/deploy/stack.ts'
import { type Gemini, startGemini } from '../../infra/local/gemini/server.ts'
import { type Ended, runDarkroom, runScript } from '../helpers/command.ts'
import { until } from '../helpers/darkroom.ts'

const isHere = (command: string) =>
  (process.env.PATH ?? '').split(delimiter).some(folder => existsSync(join(folder, command)))

const DEPLOY = 'infra/deploy/deploy.ts'
const REMOVE = 'infra/deploy/remove.ts'
const target = { stage: 'test', region: 'eu-north-1' }
const where = ['--stage', target.stage, '--region', target.region]
const keys = { AWS_ACCESS_KEY_ID: 'moto', AWS_SECRET_ACCESS_KEY: 'moto' }

/** Beside the deployment, which mostly waits for its own answers. */
const linting = isHere('cfn-lint')
  ? promisify(execFile)('cfn-lint', ['--template', join(PACKAGE_FOLDER, 'cloudformation-template-update-stack.json')])
  : undefined
linting?.catch(() => undefined)

test.each([
  ['no stage', [], keys, 2, 'which stage?'],
  ['a stage that no resource could be named after', ['--stage', 'Prod_1'], keys, 2, '--stage "Prod_1" names no stage'],
  ['no region', ['--stage', 'a'], keys, 1, 'no region is set: give --region'],
  ['a region that is none', ['--stage', 'a', '--region', 'mars'], keys, 2, '"mars" is no region'],
  ['no credentials', where, {}, 1, 'there are no AWS credentials: set AWS_PROFILE'],
  ['a typo in an option', [...where, '--stag', 'b'], keys, 2, "Unknown option '--stag'"],
])('%s is told in a sentence, before anything is done', async (_, args, env, code, sentence) => {
  const ended = await runScript(REMOVE, args, env)
  expect(ended.err).toContain(sentence)
  expect(ended.err).not.toContain('    at ')
  expect(ended.code).toBe(code)
})

test('a parameter that nothing reads is refused by name', async () => {
  const { code, err } = await runScript(DEPLOY, [...where, '--param', 'alarmEmial=you@example.com'], keys)
  expect(err).toContain('--param alarmEmial=you@example.com: expected name=value with one of inputBuckets,')
  expect(code).toBe(2)
})

test('what breaks a rule is not deployed', async () => {
  const { code, err } = await runScript(DEPLOY, [...where, '--param', 'inputBuckets=photos,*'], keys)
  expect(err).toBe('not deployed; the template breaks its rules:\nno-wildcard: parameter InputBuckets is "photos,*"\n')
  expect(code).toBe(1)
})

describe.runIf(isHere('moto_server'))('on moto', () => {
  let server: ChildProcess
  let gemini: Gemini
  let env: Record<string, string>
  let stack: StackResources
  let deployed: Ended
  let beside: Promise<Ended>
  const { region } = target
  const s3 = () => new S3Client({ region })

  beforeAll(async () => {
    const port = await findFreePort()
    server = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore', detached: true })
    gemini = await startGemini()
    for (const name of Object.keys(process.env).filter(it => it.startsWith('AWS_'))) delete process.env[name]
    const AWS_ENDPOINT_URL = `http://127.0.0.1:${port}`
    env = { ...keys, AWS_ENDPOINT_URL, SLS_AWS_MONITORING_FREQUENCY: '200' }
    Object.assign(process.env, env)
    await until('moto answers', () =>
      fetch(`${AWS_ENDPOINT_URL}/moto-api/`).then(
        it => it.ok,
        () => false,
      ),
    )
    const params = ['--param', 'inputBuckets=one,two', '--param', 'geminiApiKeyParameter=/own/key']
    deployed = await runScript(DEPLOY, [...where, ...params], env)
    if (deployed.code === 0) stack = await readStack(target)
    beside = runScript(DEPLOY, ['--stage', 'other', '--region', region], env)
  }, 90_000)
  afterAll(async () => {
    await gemini[Symbol.asyncDispose]()
    if (server.pid) process.kill(-server.pid, 'SIGKILL')
    await once(server, 'exit')
  })

  const doctor = () =>
    runScript('infra/cli/darkroom.ts', ['doctor', ...where], { ...env, GOOGLE_GEMINI_BASE_URL: gemini.baseUrl })

  test('deploying ends with the two commands that send a photo and find its print', () => {
    expect(deployed.err).toBe('')
    expect(deployed.out).toContain(`aws s3 cp photo.jpg s3://${stack.UploadsBucket}/watercolour/`)
    expect(deployed.out).toContain(`aws s3 ls --recursive s3://${stack.ResultsBucket}/watercolour/`)
  })

  test.each([
    ['upload', 300, 5],
    ['job', 300, 5],
    ['schedule', 60, undefined],
    ['batch-submit', 900, undefined],
    ['batch-collect', 300, 1],
    ['webhook', 10, undefined],
  ])('%s is there with its time-out, its runtime, its queue and its role', async (name, Timeout, batchSize) => {
    const lambda = new LambdaClient({ region })
    const FunctionName = `darkroom-test-${name}`
    const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }))
    expect(configuration).toMatchObject({ Timeout, Runtime: 'nodejs24.x' })
    expect(configuration.Role?.toLowerCase()).toContain(`${name.replace('-', '')}role`)
    expect(configuration.Environment?.Variables).toMatchObject({
      UPLOADS_BUCKET: stack.UploadsBucket,
      LEDGER_TABLE: stack.LedgerTable,
      GEMINI_API_KEY_PARAMETER: '/own/key',
      INPUT_BUCKETS: 'one,two',
    })
    expect(configuration.Environment?.Variables).not.toHaveProperty('GEMINI_API_KEY')
    // moto finds none when it is asked for those of one function.
    const { EventSourceMappings = [] } = await lambda.send(new ListEventSourceMappingsCommand({}))
    const own = EventSourceMappings.filter(it => it.FunctionArn?.endsWith(FunctionName))
    expect(own.map(it => it.BatchSize)).toEqual(batchSize ? [batchSize] : [])
  })

  test('the command finds the batches of a stage by its name', async () => {
    const { AWS_ENDPOINT_URL = '' } = process.env
    const env = { AWS_ENDPOINT_URL, AWS_REGION: target.region }
    const listed = await runDarkroom(['batch', 'list', '--stage', target.stage], env)
    expect(listed).toEqual({ code: 0, out: 'There are no batches.\n', err: '' })
    expect(await runDarkroom(['batch', 'list', '--stage', 'prod'], env)).toMatchObject({
      code: 1,
      err: expect.stringContaining('stage prod is not deployed in eu-north-1'),
    })
  })

  test('the shipped recipes are in their bucket, and a changed one stays changed', async () => {
    const { Contents = [] } = await s3().send(new ListObjectsV2Command({ Bucket: stack.RecipesBucket }))
    expect(Contents.map(({ Key }) => Key)).toEqual(expect.arrayContaining(['postcard.json', 'postcard/stamp.png']))
    expect(await tellOwnRecipes(s3(), stack.RecipesBucket)).toBe(undefined)
    await s3().send(new PutObjectCommand({ Bucket: stack.RecipesBucket, Key: 'postcard.json', Body: 'changed' }))
    expect(await putRecipes(s3(), stack.RecipesBucket)).toEqual([])
    expect(await tellOwnRecipes(s3(), stack.RecipesBucket)).toContain('holds 1 object, for one postcard.json')
  })

  test('the doctor sees a stage without key and budget, with a recipe that cannot be read', async () => {
    const { out, code } = await doctor()
    for (const line of [
      'ok    stage test is deployed in eu-north-1',
      `ok    the buckets are apart: ${stack.UploadsBucket}, ${stack.ResultsBucket}, ${stack.RecipesBucket}`,
      'FAIL  the key is not in /own/key',
      '→ aws ssm put-parameter --overwrite --type SecureString --name /own/key',
      'ok    the template keeps its',
      'ok    each of 3 queues',
      'ok    schedule darkroom-test-weather rings in Europe/Oslo',
      'FAIL  no daily budget is set',
      'FAIL  recipe postcard.json is no JSON',
      'FAIL  there is no key',
    ])
      expect(out).toContain(line)
    expect(code).toBe(1)
  })

  test('the doctor finds a mended stage well, and what somebody changed by hand', async () => {
    const recipe = { operation: 'photo', slots: { subject: 'a boat' } }
    const settings = { dailyBudgetUsd: 25, models: { 'gemini-nano-banana-2.1': { requestsPerMinute: 1000 } } }
    const put = (Key: string, json: object) =>
      s3().send(new PutObjectCommand({ Bucket: stack.RecipesBucket, Key, Body: JSON.stringify(json) }))
    await Promise.all([put('postcard.json', recipe), put('settings.json', settings)])
    const ssm = new SSMClient({ region })
    await ssm.send(new PutParameterCommand({ Name: '/own/key', Type: 'SecureString', Value: gemini.apiKey }))
    const sqs = new SQSClient({ region })
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: stack.JobsQueue.split('/').at(-1) }))
    const hide = (VisibilityTimeout: string) =>
      sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout } }))
    await hide('30')
    const changed = await doctor()
    expect(changed.out).toContain('hides a message for 30 s, and darkroom-test-job may take 300 s')
    await hide('1800')
    const { out, err, code } = await doctor()
    expect(err + out).not.toContain('FAIL')
    expect(out).toContain('ok    the key is in the SecureString /own/key')
    expect(out).toContain('ok    Google knows every field that Darkroom sends')
    expect(code).toBe(0)
    expect(gemini.calls.filter(call => call.status === 200)).toEqual([])
  }, 60_000)

  test('a stage that is not there is told by the doctor and by remove', async () => {
    const elsewhere = ['--stage', 'prod', '--region', region]
    for (const ended of [
      await runScript(REMOVE, elsewhere, env),
      await runScript('infra/cli/darkroom.ts', ['doctor', ...elsewhere], env),
    ]) {
      expect(ended.err).toContain('stage prod is not deployed in eu-north-1')
      expect(ended.code).toBe(1)
    }
  })

  test('pictures are removed only by who says so: refused, all is still there; then all is gone', async () => {
    const print = { Bucket: stack.ResultsBucket, Key: 'a/image-1.jpg', Body: 'x' }
    const photo = { Bucket: stack.UploadsBucket, Key: 'a/photo.jpg' }
    await s3().send(new PutObjectCommand(print))
    // moto leaves it out when it makes a bucket of a template.
    const VersioningConfiguration = { Status: 'Enabled' as const }
    await s3().send(new PutBucketVersioningCommand({ Bucket: stack.UploadsBucket, VersioningConfiguration }))
    for (const Body of ['first', 'second']) await s3().send(new PutObjectCommand({ ...photo, Body }))
    await s3().send(new DeleteObjectCommand(photo))

    const refused = await runScript(REMOVE, where, env)
    expect(refused.code).toBe(1)
    expect(refused.err).toContain(`s3://${stack.UploadsBucket} holds 3 objects and versions, for one a/photo.jpg`)
    expect(refused.err).toContain(`s3://${stack.ResultsBucket} holds 1 object, for one a/image-1.jpg`)
    expect(refused.err).toContain(`s3://${stack.RecipesBucket} holds`)
    expect(refused.err).toContain('--delete-pictures deletes all of it for ever')
    expect(await readStack(target)).toEqual(stack)
    const { KeyCount } = await s3().send(new ListObjectsV2Command({ Bucket: stack.ResultsBucket }))
    expect(KeyCount).toBe(1)

    const removed = await runScript(REMOVE, [...where, '--delete-pictures'], env)
    expect(removed).toMatchObject({ code: 0, err: '', out: expect.stringContaining('stage test is removed') })
    await expect(readStack(target)).rejects.toThrow('stage test is not deployed')
    const { Buckets = [] } = await s3().send(new ListBucketsCommand({}))
    expect(Buckets.filter(({ Name }) => Name?.includes('-test-'))).toEqual([])
  }, 60_000)

  test('a stage beside it goes too, and with --keep-pictures what it holds stays', async () => {
    expect((await beside).err).toBe('')
    const { ResultsBucket, UploadsBucket, LedgerTable } = await readStack({ stage: 'other', region })
    await s3().send(new PutObjectCommand({ Bucket: ResultsBucket, Key: 'a/image-1.jpg', Body: 'x' }))
    const { code, out } = await runScript(REMOVE, ['--stage', 'other', '--region', region, '--keep-pictures'], env)
    expect(code).toBe(0)
    expect(out).toContain(`s3://${ResultsBucket} holds 1 object, for one a/image-1.jpg`)
    expect(out).toContain(`table ${LedgerTable} knows`)
    const { Buckets = [] } = await s3().send(new ListBucketsCommand({}))
    const names = Buckets.map(({ Name }) => Name)
    expect(names).toContain(ResultsBucket)
    expect(names).not.toContain(UploadsBucket)
    await expect(readStack({ stage: 'other', region })).rejects.toThrow('stage other is not deployed')
  }, 60_000)
})

test.runIf(linting)(
  'cfn-lint has nothing to say about the template',
  async () => {
    expect((await linting)?.stdout).toBe('')
  },
  60_000,
)

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
