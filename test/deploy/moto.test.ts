import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { GetFunctionConfigurationCommand, LambdaClient, ListEventSourceMappingsCommand } from '@aws-sdk/client-lambda'
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deploy, putRecipes } from '../../infra/deploy/deploy.ts'
import { PACKAGE_FOLDER } from '../../infra/deploy/package.ts'
import { remove } from '../../infra/deploy/remove.ts'
import type { StackResources } from '../../infra/deploy/stack.ts'
import { runDarkroom } from '../helpers/command.ts'
import { until } from '../helpers/darkroom.ts'

const isHere = (command: string) =>
  (process.env.PATH ?? '').split(delimiter).some(folder => existsSync(join(folder, command)))

describe.runIf(isHere('cfn-lint'))('cfn-lint', () => {
  test('has nothing to say about the template', () => {
    const template = join(PACKAGE_FOLDER, 'cloudformation-template-update-stack.json')
    const args = ['--template', template]
    expect(execFileSync('cfn-lint', args, { encoding: 'utf8' })).toBe('')
  }, 60_000)
})

describe.runIf(isHere('moto_server'))('deployed to moto', () => {
  const target = { stage: 'test', region: 'eu-north-1' }
  let server: ChildProcess
  let folder: string
  let stack: StackResources
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'darkroom-moto-'))
    const port = await findFreePort()
    server = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore', detached: true })
    const endpoint = `http://127.0.0.1:${port}`
    for (const name of Object.keys(process.env).filter(it => it.startsWith('AWS_'))) delete process.env[name]
    Object.assign(process.env, { AWS_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: 'moto', AWS_SECRET_ACCESS_KEY: 'moto' })
    await until('moto answers', () =>
      fetch(`${endpoint}/moto-api/`).then(
        it => it.ok,
        () => false,
      ),
    )
    stack = await deploy({ ...target, params: ['inputBuckets=one,two'], folder })
  }, 90_000)
  afterAll(async () => {
    if (server.pid) process.kill(-server.pid, 'SIGKILL')
    await once(server, 'exit')
    await rm(folder, { recursive: true })
  })

  test.each([
    ['upload', 300],
    ['job', 300],
    ['schedule', 60],
  ])('%s is there with its time-out, its runtime and its role', async (name, Timeout) => {
    const lambda = new LambdaClient({ region: target.region })
    const FunctionName = `darkroom-test-${name}`
    const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }))
    expect(configuration).toMatchObject({ Timeout, Runtime: 'nodejs24.x' })
    expect(configuration.Role?.toLowerCase()).toContain(`${name}role`)
    expect(configuration.Environment?.Variables).toMatchObject({
      UPLOADS_BUCKET: stack.UploadsBucket,
      LEDGER_TABLE: stack.LedgerTable,
      GEMINI_API_KEY_PARAMETER: '/darkroom/test/gemini-api-key',
      INPUT_BUCKETS: 'one,two',
    })
    expect(configuration.Environment?.Variables).not.toHaveProperty('GEMINI_API_KEY')
    const { EventSourceMappings = [] } = await lambda.send(new ListEventSourceMappingsCommand({}))
    const own = EventSourceMappings.filter(it => it.FunctionArn?.includes(FunctionName))
    expect(own.map(it => it.BatchSize)).toEqual(name === 'schedule' ? [] : [5])
  })

  test('the command finds the batches of a stage by its name', async () => {
    const { AWS_ENDPOINT_URL = '' } = process.env
    const env = { AWS_ENDPOINT_URL, AWS_REGION: target.region }
    const listed = await runDarkroom(['batch', 'list', '--stage', target.stage], env)
    expect(listed).toEqual({ code: 0, out: 'There are no batches.\n', err: '' })
    expect(await runDarkroom(['batch', 'list', '--stage', 'other'], env)).toMatchObject({
      code: 1,
      err: expect.stringContaining('darkroom-other does not exist'),
    })
  })

  test('the shipped recipes are in their bucket, and a changed one stays changed', async () => {
    const s3 = new S3Client({ region: target.region, forcePathStyle: true })
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: stack.RecipesBucket }))
    expect(Contents.map(({ Key }) => Key)).toContain('postcard/stamp.png')
    await s3.send(new PutObjectCommand({ Bucket: stack.RecipesBucket, Key: 'postcard.json', Body: 'changed' }))
    expect(await putRecipes(s3, stack.RecipesBucket)).toEqual([])
  })

  test('is removed, but for the buckets that hold something', async () => {
    const s3 = new S3Client({ region: target.region, forcePathStyle: true })
    await s3.send(new PutObjectCommand({ Bucket: stack.ResultsBucket, Key: 'a/image-1.jpg', Body: 'x' }))
    const kept = await remove(target, { deletePictures: false })
    expect(kept).toEqual([stack.ResultsBucket, stack.RecipesBucket, stack.LedgerTable])
  }, 60_000)
})

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
