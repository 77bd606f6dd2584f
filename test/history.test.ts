import { createHash } from 'node:crypto'
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeEach, expect, test } from 'vitest'
import { createLedger } from '../lib/aws/ledger.ts'
import { createStorage } from '../lib/aws/storage.ts'
import { createTable } from '../lib/aws/table.ts'
import { DEFAULT_SETTINGS } from '../lib/config.ts'
import { BrokenLine, readHistory } from '../lib/history.ts'
import { parseJob } from '../lib/job.ts'
import { makePlan } from '../lib/plan.ts'
import type { Result } from '../lib/result.ts'
import { awsError } from './helpers/aws.ts'
import { caught } from './helpers/caught.ts'

const s3 = mockClient(S3Client)
const dynamodb = mockClient(DynamoDBClient)
const objects = new Map<string, string>()
const fetched: string[] = []
beforeEach(() => {
  objects.clear()
  fetched.length = 0
  s3.on(GetObjectCommand).callsFake(({ Key }: { Key: string }) => {
    const body = objects.get(Key)
    if (body === undefined) throw awsError('NoSuchKey', 404)
    fetched.push(Key)
    return { Body: { transformToByteArray: async () => Buffer.from(body) } }
  })
  dynamodb.on(GetItemCommand).callsFake(({ Key }: { Key: { pk: { S: string } } }) => {
    const id = Key.pk.S.replace('job#', '')
    return { Item: { pk: Key.pk, resultUri: { S: `s3://results/jobs/${id}/result.json` } } }
  })
})
const archive = {
  storage: createStorage(new S3Client()),
  ledger: createLedger(createTable(new DynamoDBClient(), 'ledger', Date.now), Date.now),
  resultsBucket: 'results',
}
const plan = makePlan(parseJob({ operation: 'edit', prompt: 'next', session: 'line' }), DEFAULT_SETTINGS, '2026-11-21')

/** A turn that lies in S3 as the flow leaves it: result and reply. */
function keep(n: number, { sizeBytes = 100, ...more }: Partial<Result> & { sizeBytes?: number } = {}): Result {
  const picture = Buffer.from(`picture ${n}`)
  const inlineData = { mimeType: 'image/png', data: picture.toString('base64') }
  const thoughtSignature = 'A'.repeat(sizeBytes)
  const reply = { candidates: [{ content: { role: 'model', parts: [{ inlineData, thoughtSignature }] } }] }
  const sha256 = createHash('sha256').update(picture).digest('hex')
  const result = {
    job: { id: `turn-${n}`, operation: 'generate', prompt: `prompt ${n}`, inputs: [] },
    model: { requested: plan.modelId, used: plan.modelId },
    images: [{ key: `jobs/turn-${n}/image-1.png`, sha256 }],
    inputs: [],
    attempts: [
      { attempt: 1, outcome: 'ERR_GEMINI_RATE' },
      { attempt: 2, outcome: 'reply' },
    ],
    session: { name: 'line', turn: n, ...(n > 1 && { continuesFrom: `turn-${n - 1}` }) },
    ...more,
  } as unknown as Result
  objects.set(`jobs/turn-${n}/result.json`, JSON.stringify(result))
  objects.set(`jobs/turn-${n}/response-2.json`, JSON.stringify(reply))
  return result
}

test('all that was said goes back in its order, from the last fresh start on', async () => {
  keep(1)
  keep(2, { session: { name: 'line', turn: 2, continuesFrom: 'turn-1', fresh: 'another model' } })
  keep(3)
  const { contents } = await readHistory(archive, keep(4), plan)
  expect(contents.map(({ role, parts }) => [role, parts?.[0]?.text])).toEqual([
    ['user', 'prompt 2'],
    ['model', undefined],
    ['user', 'prompt 3'],
    ['model', undefined],
    ['user', 'prompt 4'],
    ['model', undefined],
  ])
  expect(fetched.filter(key => key.includes('turn-1'))).toEqual([])
})

test.each<[string, () => Result, string]>([
  [
    'another model',
    () => keep(1, { model: { requested: 'a', used: 'gemini-3-pro-image' } }),
    'the model changed from gemini-3-pro-image to gemini-nano-banana-2.1',
  ],
  ['a result that is gone', () => keep(2), 'the result of job turn-1 is gone'],
  [
    'a reply that holds another picture',
    () => keep(1, { images: [{ key: 'jobs/turn-1/image-1.png', sha256: 'other' }] as Result['images'] }),
    'the reply to job turn-1 has expired',
  ],
  [
    'more pictures than the model takes',
    () => keep(1, { inputs: Array(15).fill({ uri: 's3://photos/a' }) as Result['inputs'] }),
    'gemini-nano-banana-2.1 takes 14 input images, the session has 15',
  ],
])('%s breaks the line', async (_, last, message) => {
  const error = await caught(() => readHistory(archive, last(), plan))
  expect(error).toBeInstanceOf(BrokenLine)
  expect(error).toMatchObject({ message })
})

test('a line of over 80 MB is broken before all of it was fetched', async () => {
  for (const n of [1, 2, 3]) keep(n, { sizeBytes: 30_000_000 })
  const last = keep(4, { sizeBytes: 30_000_000 })
  expect(await caught(() => readHistory(archive, last, plan))).toMatchObject({ message: 'its turns have over 80 MB' })
  expect(fetched.filter(key => key.includes('response'))).toHaveLength(3)
  for (const n of [3, 4]) keep(n, { sizeBytes: 10_000_000 })
  keep(2, { sizeBytes: 29_000_000 })
  expect((await readHistory(archive, keep(4, { sizeBytes: 10_000_000 }), plan)).contents).toHaveLength(8)
})
