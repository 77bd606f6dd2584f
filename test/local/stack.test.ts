import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import type { S3Event, SQSEvent } from 'aws-lambda'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startStack } from '../../infra/local/stack.ts'

const echo = join(import.meta.dirname, 'fixtures', 'echo.mjs')
const handlerFiles = { upload: echo, job: echo, schedule: echo }

test('a photo dropped in the bucket reaches the upload function', async () => {
  await using stack = await startStack({ handlerFiles })
  const ended = new Promise<SQSEvent>(resolve =>
    stack.lambda.events.once('end', ({ event }) => resolve(event as SQSEvent)),
  )
  const Bucket = stack.env.UPLOADS_BUCKET
  await stack.s3.send(new PutObjectCommand({ Bucket, Key: 'pop-art/cup.jpg', Body: 'x' }))
  const { Records } = await ended
  const notice = JSON.parse(Records[0]?.body ?? '') as S3Event
  expect(notice.Records[0]?.s3.object.key).toBe('pop-art/cup.jpg')
  expect(stack.lambda.counts('upload').invocations).toBe(1)
  expect(stack.lambda.counts('job').invocations).toBe(0)
})

test('functions find the local services, no parameter store, and Gemini where the stack was told', async () => {
  const gemini = { baseUrl: 'http://127.0.0.1:1234', apiKey: 'a-key' }
  await using stack = await startStack({ handlerFiles, gemini, env: { UPLOADED_JOBS: 'on', INPUT_BUCKETS: undefined } })
  const outcome = await stack.lambda.invoke('job', {})
  const { env } = (outcome.ok ? outcome.payload : {}) as { env: Record<string, string> }
  expect(env).toMatchObject({
    AWS_ENDPOINT_URL: stack.endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: stack.dynamodbEndpoint,
    GEMINI_API_KEY: 'a-key',
    GOOGLE_GEMINI_BASE_URL: 'http://127.0.0.1:1234',
    UPLOADED_JOBS: 'on',
    JOBS_QUEUE_URL: stack.queueUrl('darkroom-jobs'),
  })
  expect(Object.keys(env).filter(name => name.endsWith('_PARAMETER') || name === 'INPUT_BUCKETS')).toEqual([])
})

test('without a word about Gemini nothing can leave the machine', async () => {
  await using stack = await startStack({ functions: [] })
  expect(new URL(stack.env.GOOGLE_GEMINI_BASE_URL ?? '').hostname).toBe('127.0.0.1')
})

test('a recipe that is deleted from its folder is out of force from the next start on', async () => {
  const stateFolder = await mkdtemp(join(tmpdir(), 'darkroom-test-'))
  onTestFinished(() => rm(stateFolder, { recursive: true }))
  const before = await startStack({ functions: [], stateFolder })
  const Bucket = before.env.RECIPES_BUCKET
  await before.s3.send(new PutObjectCommand({ Bucket, Key: 'of-yesterday.json', Body: '{}' }))
  await before.close()
  await using after = await startStack({ functions: [], stateFolder })
  const { Contents = [] } = await after.s3.send(new ListObjectsV2Command({ Bucket }))
  const keys = Contents.map(({ Key }) => Key)
  expect(keys).toContain('woodcut.json')
  expect(keys).not.toContain('of-yesterday.json')
})

test('a stack that is closed twice is closed, and its temporary folder is gone', async () => {
  const stack = await startStack({ functions: [] })
  expect(existsSync(stack.stateFolder)).toBe(true)
  await Promise.all([stack.close(), stack.close()])
  expect(existsSync(stack.stateFolder)).toBe(false)
  await expect(fetch(stack.endpoint)).rejects.toThrow()
})

test('a stack that fails to start says what is missing and leaves nothing behind', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-test-'))
  vi.stubEnv('TMPDIR', folder)
  const handles = () =>
    process.getActiveResourcesInfo().filter(name => /MessagePort|TCPServer|Process/.test(name)).length
  const before = handles()
  await expect(startStack({ handlerFiles: { job: '/nowhere/index.mjs' }, functions: ['job'] })).rejects.toThrow(
    '/nowhere/index.mjs is missing: build the functions with npm run build',
  )
  await expect(startStack({ functions: ['jbo'] })).rejects.toThrow('serverless.yml has no function jbo')
  expect(await readdir(folder)).toEqual([])
  expect(handles()).toBe(before)
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

test.each(['endpoint', 'dynamodbEndpoint'] as const)('the %s listens on one loopback address only', async name => {
  await using stack = await startStack({ functions: [] })
  const port = Number(new URL(stack[name]).port)
  const answer = (host: string) =>
    new Promise(resolve => {
      const socket = connect({ host, port }, () => resolve('connected'))
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code)).on('connect', () => socket.destroy())
    })
  expect(await answer('127.0.0.1')).toBe('connected')
  expect(await answer('127.0.0.2')).toBe('ECONNREFUSED')
})
