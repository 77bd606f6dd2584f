import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createStorage, splitUri, toFolder, toMetadata } from '../../lib/aws/storage.ts'
import { awsError, networkError } from '../helpers/aws.ts'
import { caught } from '../helpers/caught.ts'

describe('what S3 throws', () => {
  const s3 = new S3Client({ region: 'us-east-1' })
  const mock = mockClient(s3)
  const storage = createStorage(s3)
  const actions = {
    head: () => storage.head('s3://photos/a.jpg'),
    read: () => storage.read('s3://photos/a.jpg', { etag: 'abc' }),
    list: () => storage.list('photos'),
    write: () => storage.write('photos', 'a.jpg', 'x', { contentType: 'image/jpeg' }),
  }

  test.each([
    ['head', awsError('403', 403), 'ERR_AWS_FORBIDDEN'],
    ['read', awsError('AccessDenied', 403), 'ERR_AWS_FORBIDDEN'],
    ['list', awsError('AccessDenied', 403), 'ERR_AWS_FORBIDDEN'],
    ['write', awsError('AccessDenied', 403), 'ERR_AWS_FORBIDDEN'],
    ['head', awsError('503', 503), 'ERR_AWS_UNAVAILABLE'],
    ['read', awsError('SlowDown', 503), 'ERR_AWS_UNAVAILABLE'],
    ['read', awsError('InternalError', 500), 'ERR_AWS_UNAVAILABLE'],
    ['read', networkError('ECONNRESET'), 'ERR_AWS_UNAVAILABLE'],
    ['read', awsError('PreconditionFailed', 412), 'ERR_INPUT_CHANGED'],
    ['write', awsError('SlowDown', 503), 'ERR_AWS_UNAVAILABLE'],
    ['list', networkError('ENOTFOUND'), 'ERR_AWS_UNAVAILABLE'],
  ] as const)('on %s, %s: %s', async (action, error, code) => {
    mock.reset()
    mock.onAnyCommand().rejects(error)
    const fault = await caught(actions[action])
    expect(fault).toMatchObject({ code, cause: error })
    expect((fault as Error).message).toContain('photos')
  })

  test('a body that breaks off is trouble on the way', async () => {
    mock.reset()
    const Body = { transformToByteArray: () => Promise.reject(networkError('ECONNRESET')) }
    mock.on(GetObjectCommand).resolves({ Body } as never)
    expect(await caught(actions.read)).toMatchObject({ code: 'ERR_AWS_UNAVAILABLE' })
  })

  test('a bug of ours stays one', async () => {
    mock.reset()
    const bug = awsError('InvalidArgument', 400)
    mock.on(PutObjectCommand).rejects(bug)
    expect(await caught(actions.write)).toBe(bug)
  })

  test('a version is asked for by its id, an object without one by its ETag', async () => {
    mock.reset()
    mock.on(GetObjectCommand).resolves({})
    mock.on(HeadObjectCommand).resolves({ ETag: '"abc"', VersionId: 'v1' })
    await storage.read('s3://photos/a.jpg', { etag: 'abc', versionId: 'v1' })
    await storage.read('s3://photos/a.jpg', { etag: 'abc' })
    await storage.read('s3://photos/a.jpg')
    expect(
      mock.commandCalls(GetObjectCommand).map(({ args }) => [args[0].input.VersionId, args[0].input.IfMatch]),
    ).toEqual([
      ['v1', undefined],
      [undefined, '"abc"'],
      [undefined, undefined],
    ])
    expect(await storage.head('s3://photos/a.jpg', 'v1')).toMatchObject({ etag: 'abc', versionId: 'v1', sizeBytes: 0 })
    expect(mock.commandCalls(HeadObjectCommand)[0]?.args[0].input.VersionId).toBe('v1')
  })
})

test.each([
  ['s3://photos/a.jpg', 'photos', 'a.jpg'],
  ['s3://photos/a/b?c#d e%20.jpg', 'photos', 'a/b?c#d e%20.jpg'],
  ['s3://photos//a', 'photos', '/a'],
])('%s is %s and %s', (uri, Bucket, Key) => {
  expect(splitUri(uri)).toEqual({ Bucket, Key })
})

/** Any Unicode, with lone surrogates, control characters, and what climbs. */
const part = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom('a', '€', '😀', '\ud800', '\udc00', '.', '\0', '\n', '\u0085', '\ufffd', ' '),
    maxLength: 40,
  }),
  fc.constantFrom('', '.', '..', '...', 'photos', '\0', 'a'.repeat(1024), '€'.repeat(341), '😀'.repeat(256)),
)
const key = fc.array(part, { minLength: 1, maxLength: 8 }).map(parts => parts.join('/'))
const id = fc.constantFrom('a', `up-${'0'.repeat(32)}`, 'x'.repeat(100))

describe('the folder of a job’s files', () => {
  test.each([
    ['style/cup', 'up-1', 'style/cup/up-1'],
    ['Küche/日本', 'up-1', 'Küche/日本/up-1'],
    ['a/../../b', 'up-1', 'a/_/_/b/up-1'],
    ['a//b/./', 'up-1', 'a/_/b/_/_/up-1'],
    ['', 'up-1', '_/up-1'],
    ['...', 'up-1', '.../up-1'],
    ['a\nb\u001bc', 'up-1', 'a_b_c/up-1'],
    ['a\ud800b', 'up-1', 'a\ufffdb/up-1'],
  ])('%j, %s: %s', (prefix, job, folder) => {
    expect(toFolder(prefix, job)).toBe(folder)
  })

  test('leaves room for a file name of 60 bytes under 900', () => {
    const room = 900 - '/'.length - 60
    expect(toFolder('a'.repeat(room - '/up-1'.length), 'up-1')).toBe(`${'a'.repeat(room - '/up-1'.length)}/up-1`)
    const cut = toFolder('a'.repeat(room - '/up-1'.length + 1), 'up-1')
    expect(cut).toMatch(/^a+-[0-9a-f]{16}\/up-1$/)
    expect(cut).toHaveLength(room)
  })

  test('tells long keys apart that begin alike', () => {
    const long = 'a/'.repeat(500)
    expect(toFolder(`${long}1`, 'x')).not.toBe(toFolder(`${long}2`, 'x'))
  })

  test('is safe for any key', () => {
    fc.assert(
      fc.property(key, id, (prefix, job) => {
        const folder = toFolder(prefix, job)
        expect(Buffer.byteLength(`${folder}/${'f'.repeat(60)}`)).toBeLessThanOrEqual(900)
        expect(folder.endsWith(`/${job}`)).toBe(true)
        expect(folder.isWellFormed()).toBe(true)
        expect(folder).not.toMatch(/\p{Cc}/u)
        expect(folder.split('/').filter(name => ['', '.', '..'].includes(name))).toEqual([])
        expect(toFolder(prefix, job)).toBe(folder)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('metadata', () => {
  test.each([
    ['s3://photos/Küche.jpg', 's3://photos/K%C3%BCche.jpg'],
    ['a b', 'a%20b'],
    ['100%', '100%25'],
    ['line\nbreak', 'line%0Abreak'],
    ['\ud800', '%EF%BF%BD'],
    ['', ''],
  ])('%j is written %s', (value, written) => {
    expect(toMetadata({ name: value })).toEqual({ name: written })
  })

  test('what is not known is left out', () => {
    expect(toMetadata({ 'darkroom-job': 'a', 'darkroom-source': undefined })).toEqual({ 'darkroom-job': 'a' })
  })

  test('of any source is ASCII, under 2 KB together, and can be read again as far as it goes', () => {
    fc.assert(
      fc.property(key, key, (source, model) => {
        const metadata = toMetadata({
          'darkroom-job': 'x'.repeat(100),
          'darkroom-operation': 'style-transfer',
          'darkroom-model': model,
          'darkroom-source': source,
        })
        const size = Object.entries(metadata).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
        expect(size).toBeLessThan(2048)
        for (const value of Object.values(metadata)) expect(value).toMatch(/^[\x21-\x7e]*$/)
        expect(source.toWellFormed().startsWith(decodeURIComponent(metadata['darkroom-source'] as string))).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})
