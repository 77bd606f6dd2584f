import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns'
import { SQSClient } from '@aws-sdk/client-sqs'
import { mockClient } from 'aws-sdk-client-mock'
import { expect, onTestFinished, test } from 'vitest'
import { startDynalite } from '../infra/local/aws/dynalite.ts'
import { createLatest } from '../lib/aws/latest.ts'
import { createLedger } from '../lib/aws/ledger.ts'
import { createSendAgain } from '../lib/aws/messages.ts'
import { createParking } from '../lib/aws/parking.ts'
import { createRecipeBucket } from '../lib/aws/recipe-bucket.ts'
import { createSessions } from '../lib/aws/sessions.ts'
import { createStorage } from '../lib/aws/storage.ts'
import { createTable } from '../lib/aws/table.ts'
import { createTopic } from '../lib/aws/topic.ts'
import { createEdit } from '../lib/edit.ts'
import { createGemini } from '../lib/gemini/client.ts'
import { createGeminiFiles } from '../lib/gemini/files.ts'
import { openJobMessage } from '../lib/intake.ts'
import { openLimits } from './helpers/limits.ts'

/** What S3 throws where a role lacks a permission; no emulator here says it. */
function denied(): Error {
  return Object.assign(new Error('Access Denied'), { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } })
}

function missing(): Error {
  return Object.assign(new Error('no such key'), { name: 'NoSuchKey', $metadata: { httpStatusCode: 404 } })
}

/** A real ledger, a Gemini that always answers with a picture, and an S3 that refuses to write some keys. */
async function openReadOnly(refused: RegExp, writeMs = 0) {
  const dynalite = await startDynalite(undefined)
  onTestFinished(() => dynalite.close())
  const dynamodb = new DynamoDBClient({
    endpoint: dynalite.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  })
  await dynamodb.send(
    new CreateTableCommand({
      TableName: 'ledger',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk'].map(AttributeName => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    }),
  )
  let time = Date.parse('2026-11-21T12:00:00Z')
  const now = () => time
  const s3 = mockClient(S3Client)
  s3.on(GetObjectCommand).rejects(missing())
  s3.on(ListObjectsV2Command).resolves({})
  s3.on(PutObjectCommand).callsFake(({ Key }) => {
    time += writeMs
    if (refused.test(Key)) throw denied()
    return {}
  })
  const sns = mockClient(SNSClient)
  sns.on(PublishCommand).resolves({})
  let calls = 0
  const picture = { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } }
  const fetch = async () => {
    calls += 1
    return Response.json({ candidates: [{ content: { parts: [picture] }, finishReason: 'STOP' }] })
  }
  const storage = createStorage(new S3Client())
  const table = createTable(dynamodb, 'ledger', now)
  const google = { apiKey: { read: async () => 'key', forget() {} }, fetch, now }
  const edit = createEdit({
    ledger: createLedger(table, now),
    sessions: createSessions(dynamodb, 'ledger', now),
    sendAgain: createSendAgain(new SQSClient()),
    parking: createParking(table, now),
    storage,
    latest: createLatest(new S3Client()),
    topic: createTopic(new SNSClient(), 'arn:aws:sns:us-east-1:1:results'),
    recipes: createRecipeBucket(storage, 'recipes', now, () => undefined),
    gemini: createGemini(google),
    files: createGeminiFiles(google),
    resultsBucket: 'results',
    inputBuckets: [],
    now,
    log: { info() {}, warn() {}, error() {} },
    ...openLimits(dynamodb, now),
  })
  const run = (job: object = { id: 'a' }) =>
    edit(
      openJobMessage(JSON.stringify({ operation: 'generate', prompt: 'x', ...job }), {
        messageId: 'm',
        firstSeenAt: time,
      }),
      { deadlineAt: time + 300_000 },
    )
  return { run, calls: () => calls, pass: (ms: number) => (time += ms) }
}

test('a results bucket that nobody may write to costs nothing, however long the job is tried', async () => {
  const { run, calls, pass } = await openReadOnly(/./)
  for (let minute = 0; minute < 3; minute += 1) {
    await expect(run()).rejects.toMatchObject({ code: 'ERR_AWS_FORBIDDEN', remedy: 'repair' })
    pass(60_000)
  }
  expect(calls()).toBe(0)
})

test('replies that S3 refuses to keep cost five calls, however long the job is tried', async () => {
  const { run, calls, pass } = await openReadOnly(/response-|result/)
  for (let look = 0; look < 12; look += 1) {
    await expect(run()).rejects.toMatchObject({ code: 'ERR_AWS_FORBIDDEN', remedy: 'repair' })
    // No look is farther off: the first are a minute apart, those of a job that is over wait with all others.
    pass(16 * 60_000)
  }
  expect(calls()).toBe(5)
})

test('a call is not begun when AWS has taken the time that it needs', async () => {
  const { run, calls } = await openReadOnly(/^$/, 170_000)
  await expect(run()).rejects.toMatchObject({ code: 'ERR_TIME_SHORT' })
  expect(calls()).toBe(0)
})

test('a job that is late and can’t even be ended is tried again in a minute, not at once', async () => {
  const { run, pass } = await openReadOnly(/./)
  await expect(run()).rejects.toMatchObject({ code: 'ERR_AWS_FORBIDDEN' })
  pass(200 * 3_600_000)
  await expect(run()).rejects.toMatchObject({ retryAfterMs: expect.toSatisfy((ms: number) => ms >= 60_000) })
})

test('other content under the id of a message that is known is a bug that is told, not a round without end', async () => {
  const { run } = await openReadOnly(/response-|result/)
  await expect(run({ prompt: 'one' })).rejects.toThrow()
  await expect(run({ prompt: 'two' })).rejects.toThrow('id msg-m is taken')
})
