import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import { describe, expect, test } from 'vitest'
import { createStorage } from '../../lib/aws/storage.ts'
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
