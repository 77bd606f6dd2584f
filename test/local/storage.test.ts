import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectTaggingCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import type { S3Event } from 'aws-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildS3Event } from '../../infra/local/aws/s3-events.ts'
import { type Stack, startStack } from '../../infra/local/stack.ts'

let stack: Stack
const uploads = 'darkroom-uploads'
const results = 'darkroom-results'

beforeAll(async () => {
  stack = await startStack({ functions: [] })
})
afterAll(() => stack.close())

const put = (input: { Bucket: string; Key: string } & Partial<ConstructorParameters<typeof PutObjectCommand>[0]>) =>
  stack.s3.send(new PutObjectCommand({ Body: 'bytes', ...input }))

async function read(Key: string, Bucket = results): Promise<string | undefined> {
  const { Body } = await stack.s3.send(new GetObjectCommand({ Bucket, Key }))
  return Body?.transformToString()
}

async function receiveNotice(): Promise<S3Event['Records'][number] | undefined> {
  const QueueUrl = stack.env.UPLOADS_QUEUE_URL
  const { Messages = [] } = await stack.sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }))
  const [message] = Messages
  await stack.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }))
  return (JSON.parse(message?.Body ?? '{}') as S3Event).Records[0]
}

const refusal = (sending: Promise<unknown>) =>
  sending.then(
    () => 'accepted',
    error => `${error.$metadata?.httpStatusCode} ${error.name}`,
  )

describe('a key comes back as it was put, and in the notice as S3 writes it', () => {
  test.each([
    ['plain', 'style/cup.jpg', 'style/cup.jpg'],
    ['spaces and pluses', 'a b+c d.png', 'a+b%2Bc+d.png'],
    ['percent signs', '100%25%.png', '100%2525%25.png'],
    ['letters of the world', 'Küche/日本/😀.jpg', 'K%C3%BCche/%E6%97%A5%E6%9C%AC/%F0%9F%98%80.jpg'],
    ['what an address means something by', '?a=1&b#c;d:@!', '%3Fa%3D1%26b%23c%3Bd%3A%40%21'],
    ['marks and brackets', '\'()*~[]{}|^`<>"', '%27%28%29*%7E%5B%5D%7B%7D%7C%5E%60%3C%3E%22'],
    ['empty folders', '//a//', '//a//'],
    ['dots for folders', './../a', './../a'],
    ['1,024 bytes', `${'€'.repeat(341)}x`, `${'%E2%82%AC'.repeat(341)}x`],
  ])('%s', async (_, Key, noticed) => {
    await put({ Bucket: uploads, Key, Body: `at ${Key}` })
    expect(await read(Key, uploads)).toBe(`at ${Key}`)
    const notice = await receiveNotice()
    expect(notice?.s3.object.key).toBe(noticed)
    expect(decodeURIComponent(noticed.replaceAll('+', ' '))).toBe(Key)
  })
})

describe('notices', () => {
  test('tell the bucket, the size, the ETag and how the object came about', async () => {
    const { ETag } = await put({ Bucket: uploads, Key: 'a.jpg', Body: '12345' })
    const notice = await receiveNotice()
    expect(notice).toMatchObject({
      eventVersion: '2.1',
      eventSource: 'aws:s3',
      awsRegion: 'us-east-1',
      eventName: 'ObjectCreated:Put',
      s3: {
        s3SchemaVersion: '1.0',
        bucket: { name: uploads, arn: `arn:aws:s3:::${uploads}` },
        object: { size: 5, eTag: JSON.parse(ETag ?? '') },
      },
    })
  })

  test('name a copy and a multipart upload, and each has a higher sequencer', async () => {
    await put({ Bucket: uploads, Key: 'source' })
    await stack.s3.send(new CopyObjectCommand({ Bucket: uploads, Key: 'copy', CopySource: `${uploads}/source` }))
    const target = { Bucket: uploads, Key: 'parts' }
    const { UploadId } = await stack.s3.send(new CreateMultipartUploadCommand(target))
    const part = { ...target, UploadId, PartNumber: 1 }
    const { ETag } = await stack.s3.send(new UploadPartCommand({ ...part, Body: 'part' }))
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
    await stack.s3.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload }))

    const notices = [await receiveNotice(), await receiveNotice(), await receiveNotice()]
    expect(notices.map(notice => [notice?.s3.object.key, notice?.eventName])).toEqual([
      ['source', 'ObjectCreated:Put'],
      ['copy', 'ObjectCreated:Copy'],
      ['parts', 'ObjectCreated:CompleteMultipartUpload'],
    ])
    const sequencers = notices.map(notice => notice?.s3.object.sequencer ?? '')
    expect(sequencers).toEqual([...new Set(sequencers)].sort())
    expect(sequencers.every(sequencer => /^[0-9A-F]{18}$/.test(sequencer))).toBe(true)
  })

  test('of the same millisecond have growing sequencers', () => {
    const object = { eventName: 'ObjectCreated:Put', bucket: uploads, key: 'a', sizeBytes: 1, etag: '"a"' }
    const sequencers = Array.from({ length: 50 }, () => buildS3Event(object).Records[0]?.s3.object.sequencer)
    expect(sequencers).toEqual([...new Set(sequencers)].sort())
    expect(sequencers).toHaveLength(50)
  })

  test('are not sent for what was refused', async () => {
    await put({ Bucket: uploads, Key: 'taken' })
    await receiveNotice()
    await refusal(put({ Bucket: uploads, Key: 'taken', IfNoneMatch: '*' }))
    await put({ Bucket: uploads, Key: 'next' })
    expect((await receiveNotice())?.s3.object.key).toBe('next')
  })
})

describe('conditions', () => {
  test('of twenty who each want to be the first, one is', async () => {
    const tries = Array.from({ length: 20 }, (_, index) =>
      put({ Bucket: results, Key: 'first', Body: `writer ${index}`, IfNoneMatch: '*' }),
    )
    const answers = await Promise.all(tries.map(refusal))
    expect(answers.filter(answer => answer === 'accepted')).toHaveLength(1)
    expect(answers.filter(answer => answer === '412 PreconditionFailed')).toHaveLength(19)
    expect(await read('first')).toBe(`writer ${answers.indexOf('accepted')}`)
  })

  test('of ten who each replace the version they read, one does', async () => {
    const { ETag: IfMatch } = await put({ Bucket: results, Key: 'counter', Body: '0' })
    const tries = Array.from({ length: 10 }, (_, index) =>
      put({ Bucket: results, Key: 'counter', Body: `from ${index}`, IfMatch }),
    )
    const answers = await Promise.all(tries.map(refusal))
    expect(answers.filter(answer => answer === 'accepted')).toHaveLength(1)
  })

  test('replacing what is not there is refused', async () => {
    expect(await refusal(put({ Bucket: results, Key: 'nowhere', IfMatch: '"abc"' }))).toBe('404 NoSuchKey')
  })

  test('reading another version than the one wanted is refused, with or without quotation marks', async () => {
    const { ETag = '' } = await put({ Bucket: results, Key: 'pinned', Body: 'one' })
    const get = (IfMatch: string) => stack.s3.send(new GetObjectCommand({ Bucket: results, Key: 'pinned', IfMatch }))
    expect(await refusal(get(ETag))).toBe('accepted')
    expect(await refusal(get(JSON.parse(ETag)))).toBe('accepted')
    await put({ Bucket: results, Key: 'pinned', Body: 'two' })
    expect(await refusal(get(ETag))).toBe('412 PreconditionFailed')
  })
})

test('a subresource that is not served is refused and leaves the object alone', async () => {
  await put({ Bucket: results, Key: 'kept', Body: 'the picture' })
  const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] }
  const tagging = stack.s3.send(new PutObjectTaggingCommand({ Bucket: results, Key: 'kept', Tagging }))
  expect(await refusal(tagging)).toBe('501 NotImplemented')
  expect(await read('kept')).toBe('the picture')
})

test('an object keeps its metadata and its type, also one that a form or a queue would speak', async () => {
  const Metadata = { 'darkroom-job': 'up-1', 'slot-style': 'caf%C3%A9 %26 more' }
  for (const ContentType of ['image/png', 'application/x-www-form-urlencoded', 'application/x-amz-json-1.0']) {
    await put({ Bucket: results, Key: 'typed', Body: 'a=1', ContentType, Metadata })
    const head = await stack.s3.send(new HeadObjectCommand({ Bucket: results, Key: 'typed' }))
    expect(head).toMatchObject({ ContentType, Metadata, ContentLength: 3 })
  }
})

test('an object of 64 MiB is accepted', async () => {
  const Body = Buffer.alloc(64 * 1024 * 1024, 7)
  await put({ Bucket: results, Key: 'large', Body })
  const { ContentLength } = await stack.s3.send(new HeadObjectCommand({ Bucket: results, Key: 'large' }))
  expect(ContentLength).toBe(Body.length)
})

test('pages of a listing hold every key once, in the order of bytes', async () => {
  const keys = ['list/B', 'list/Z', 'list/_', 'list/a', 'list/b', 'list/ä', 'list/日']
  for (const Key of [...keys].reverse()) await put({ Bucket: results, Key })
  const listed: (string | undefined)[] = []
  let ContinuationToken: string | undefined
  do {
    const command = new ListObjectsV2Command({ Bucket: results, Prefix: 'list/', MaxKeys: 2, ContinuationToken })
    const page = await stack.s3.send(command)
    listed.push(...(page.Contents ?? []).map(object => object.Key))
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken)
  expect(listed).toEqual(keys)
})
