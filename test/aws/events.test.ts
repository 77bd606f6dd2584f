import { describe, expect, test } from 'vitest'
import { readUploads, toUploadId } from '../../lib/aws/events.ts'

/** A record as S3 sends it. */
const record = (object: object = {}, eventName = 'ObjectCreated:Put') => ({
  eventVersion: '2.1',
  eventSource: 'aws:s3',
  awsRegion: 'eu-central-1',
  eventTime: '2026-11-21T20:00:00.000Z',
  eventName,
  userIdentity: { principalId: 'A1' },
  s3: {
    s3SchemaVersion: '1.0',
    bucket: { name: 'uploads', arn: 'arn:aws:s3:::uploads' },
    object: { key: 'postcard/cup.jpg', size: 1024, eTag: 'abc', sequencer: '0055', ...object },
  },
})
const keys = (body: unknown) => readUploads(body)?.map(({ notice }) => notice.key)

test('a notification is its uploads, each of which can be sent again alone', () => {
  const first = record()
  const second = record({ key: 'postcard/b.png', versionId: 'v2' })
  const uploads = readUploads({ Records: [first, second] })
  expect(uploads).toEqual([
    {
      notice: {
        bucket: 'uploads',
        key: 'postcard/cup.jpg',
        etag: 'abc',
        sequencer: '0055',
        versionId: undefined,
      },
      body: JSON.stringify({ Records: [first] }),
    },
    expect.objectContaining({ body: JSON.stringify({ Records: [second] }) }),
  ])
  expect(readUploads(JSON.parse(uploads?.[1]?.body ?? ''))?.[0]).toEqual(uploads?.[1])
})

describe('a key is read as S3 writes it', () => {
  test.each([
    ['postcard/a+b.jpg', 'postcard/a b.jpg'],
    ['postcard/a%2Bb.jpg', 'postcard/a+b.jpg'],
    ['K%C3%BCche/%F0%9F%98%80.jpg', 'Küche/😀.jpg'],
    ['postcard/100%25.jpg', 'postcard/100%.jpg'],
    ['postcard/100%.jpg', 'postcard/100%.jpg'],
    ['postcard/a%23b%3Fc.jpg', 'postcard/a#b?c.jpg'],
  ])('%s: %s', (written, key) => {
    expect(keys({ Records: [record({ key: written })] })).toEqual([key])
  })
})

describe('what starts nothing', () => {
  test.each<[string, unknown]>([
    ['S3’s test of the queue', { Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'uploads' }],
    ['an empty list', { Records: [] }],
    ['a folder', { Records: [record({ key: 'postcard/', size: 0 })] }],
    ['a deletion', { Records: [record({}, 'ObjectRemoved:Delete')] }],
    ['a restored object', { Records: [record({}, 'ObjectRestore:Completed')] }],
    ['a changed tag', { Records: [record({}, 'ObjectTagging:Put')] }],
  ])('%s', (_, body) => {
    expect(readUploads(body)).toEqual([])
  })
})

test.each([
  'ObjectCreated:Put',
  'ObjectCreated:CompleteMultipartUpload',
  'ObjectCreated:Copy',
  's3:ObjectCreated:Post',
])('%s is an upload', eventName => {
  expect(keys({ Records: [record({}, eventName)] })).toEqual(['postcard/cup.jpg'])
})

describe('what is no notification is told apart from one of nothing', () => {
  test.each([
    null,
    'text',
    7,
    [],
    {},
    { Records: 'no' },
    { Records: [{}] },
    { Records: [null] },
    { operation: 'edit' },
  ])('%j', body => {
    expect(readUploads(body)).toBeUndefined()
  })
})

describe('the id of an upload', () => {
  const notice = { bucket: 'uploads', key: 'postcard/cup.jpg', etag: 'abc', sequencer: '0055' }
  const versioned = { ...notice, versionId: 'v1' }

  test('is safe as a key and as a name', () => {
    expect(toUploadId(notice)).toMatch(/^up-[0-9a-f]{32}$/)
  })

  test.each([
    ['when S3 says it twice', notice, { ...notice }],
    ['in a bucket without versions, whatever it calls them', notice, { ...notice, versionId: 'null' }],
    ['of a version, whatever the event’s number is', versioned, { ...versioned, sequencer: '0066' }],
  ])('is the same %s', (_, one, other) => {
    expect(toUploadId(one)).toBe(toUploadId(other))
  })

  test.each([
    ['another photo', notice, { ...notice, key: 'postcard/b.jpg' }],
    ['another bucket', notice, { ...notice, bucket: 'others' }],
    ['the same photo again, with versions', versioned, { ...versioned, versionId: 'v2' }],
    ['the same bytes again, without versions', notice, { ...notice, sequencer: '0066' }],
    ['other bytes', notice, { ...notice, etag: 'def' }],
    ['a key that runs into its bucket', { ...notice, bucket: 'a', key: 'bc' }, { ...notice, bucket: 'ab', key: 'c' }],
  ])('is another for %s', (_, one, other) => {
    expect(toUploadId(one)).not.toBe(toUploadId(other))
  })
})
