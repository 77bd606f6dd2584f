import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { toMetadata } from '../../lib/aws/keys.ts'
import { createStorage, type Storage } from '../../lib/aws/storage.ts'
import { type Backend, openBackend } from '../helpers/backend.ts'
import { caught } from '../helpers/caught.ts'

describe('S3', () => {
  let backend: Backend
  let storage: Storage
  let bucket = ''
  const key = (name: string) => `${backend.prefix}/${name}`
  const uri = (name: string) => `s3://${bucket}/${key(name)}`

  beforeAll(async () => {
    backend = await openBackend()
    bucket = backend.bucket
    storage = createStorage(backend.s3)
  })
  afterAll(() => backend[Symbol.asyncDispose]())

  describe('gives back what was written, under any key', () => {
    test.each([
      'a.jpg',
      'a b+c/100%.png',
      '?a=1&b#c;d:@!$',
      "Küche/日本/😀/'()*~[]",
      'a//b/./c',
      `${'x'.repeat(1020)}.png`,
    ])('%s', async given => {
      // The longest key that S3 takes has 1,024 bytes, those of the prefix among them.
      const name = given.slice(-(1023 - backend.prefix.length))
      await storage.write(bucket, key(name), Buffer.from(`at ${name}`), { contentType: 'text/plain' })
      expect((await storage.read(uri(name)))?.toString()).toBe(`at ${name}`)
      expect(await storage.head(uri(name))).toMatchObject({ sizeBytes: Buffer.byteLength(`at ${name}`) })
    })
  })

  test('keeps type and metadata, and tells the ETag without quotes', async () => {
    const metadata = toMetadata({ 'darkroom-job': 'order-17', 'darkroom-source': 's3://photos/Küche.jpg' })
    await storage.write(bucket, key('m.jpg'), 'bytes', { contentType: 'image/jpeg', metadata })
    const head = await storage.head(uri('m.jpg'))
    expect(head).toEqual({
      sizeBytes: 5,
      etag: '4b3a6218bb3e3a7303e8a171a60fcf92',
      versionId: undefined,
      metadata: { 'darkroom-job': 'order-17', 'darkroom-source': 's3://photos/K%C3%BCche.jpg' },
    })
    expect(await backend.s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key('m.jpg') }))).toMatchObject({
      ContentType: 'image/jpeg',
    })
  })

  test('has nothing where nothing is: no error', async () => {
    expect(await storage.head(uri('none.jpg'))).toBeUndefined()
    expect(await storage.read(uri('none.jpg'))).toBeUndefined()
  })

  test('an empty object is no bytes, not nothing', async () => {
    const warn = vi.spyOn(console, 'warn')
    await storage.write(bucket, key('empty'), '', { contentType: 'text/plain' })
    expect(await storage.head(uri('empty'))).toMatchObject({ sizeBytes: 0 })
    expect(await storage.read(uri('empty'))).toEqual(Buffer.alloc(0))
    // The SDK's word about it would stand in the log of every paid call.
    expect(warn).not.toHaveBeenCalled()
  })

  test('reads what was pinned, or says that it was overwritten', async () => {
    await storage.write(bucket, key('pin.jpg'), 'first', { contentType: 'image/jpeg' })
    const { etag = '' } = (await storage.head(uri('pin.jpg'))) ?? {}
    expect((await storage.read(uri('pin.jpg'), { etag }))?.toString()).toBe('first')
    await storage.write(bucket, key('pin.jpg'), 'second', { contentType: 'image/jpeg' })
    expect(await caught(() => storage.read(uri('pin.jpg'), { etag }))).toMatchObject({
      code: 'ERR_INPUT_CHANGED',
      message: `${uri('pin.jpg')} was overwritten while its job was under way`,
    })
  })

  test('a bucket that is not there is the operator’s to mend', async () => {
    const missing = `${backend.prefix}-no-such-bucket`
    const actions = [
      () => storage.read(`s3://${missing}/a.jpg`),
      () => storage.list(missing),
      () => storage.write(missing, 'a.jpg', 'x', { contentType: 'image/jpeg' }),
    ]
    for (const action of actions) expect(await caught(action)).toMatchObject({ code: 'ERR_AWS_FORBIDDEN' })
  })

  test('lists the keys of a bucket that begin so', async () => {
    expect(await storage.list(bucket, key('recipes/'))).toEqual([])
    await storage.write(bucket, key('recipes/b.json'), '{}', { contentType: 'application/json' })
    await storage.write(bucket, key('recipes/a/x.png'), 'x', { contentType: 'image/png' })
    expect(await storage.list(bucket, key('recipes/'))).toEqual([key('recipes/a/x.png'), key('recipes/b.json')])
  })
})
