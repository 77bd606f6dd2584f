import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeEach, describe, expect, test } from 'vitest'
import { createRecipeBucket } from '../../lib/aws/recipe-bucket.ts'
import { createStorage } from '../../lib/aws/storage.ts'
import { awsError } from '../helpers/aws.ts'
import { caught } from '../helpers/caught.ts'

const s3 = new S3Client({ region: 'us-east-1' })
const mock = mockClient(s3)
let objects: Record<string, string | Error>
let time: number
let faults: unknown[]

beforeEach(() => {
  objects = {}
  time = 1_000_000
  faults = []
  mock.reset()
  mock.on(GetObjectCommand).callsFake(({ Key }: { Key: string }) => {
    const object = objects[Key] ?? awsError('NoSuchKey', 404)
    if (object instanceof Error) throw object
    return { Body: { transformToByteArray: async () => Buffer.from(object) } }
  })
  mock.on(ListObjectsV2Command).callsFake(() => ({ Contents: Object.keys(objects).map(Key => ({ Key })) }))
})

const open = () =>
  createRecipeBucket(
    createStorage(s3),
    'recipes',
    () => time,
    fault => faults.push(fault),
  )
const reads = () => mock.commandCalls(GetObjectCommand).length

describe('a recipe', () => {
  test('is the JSON of its name', async () => {
    objects['postcard.json'] = '{"operation":"edit","prompt":"a postcard"}'
    expect(await open().recipe('postcard')).toMatchObject({ operation: 'edit', prompt: 'a postcard' })
  })

  test('that is not there is answered with those that are', async () => {
    Object.assign(objects, {
      'postcard.json': '{}',
      'woodcut.json': '{}',
      'settings.json': '{}',
      'postcard/stamp.json': '',
    })
    expect(await caught(() => open().recipe('postcards'))).toMatchObject({
      code: 'ERR_UPLOAD_NO_RECIPE',
      message: 'there is no recipe postcards; there are: postcard, woodcut',
    })
  })

  test('where there is none at all, that is said', async () => {
    expect(await caught(() => open().recipe('a'))).toMatchObject({ message: 'there is no recipe a; there are: none' })
  })

  test('cannot be named settings: an upload does not read the settings', async () => {
    objects['settings.json'] = '{"maxWaitHours":24}'
    expect(await caught(() => open().recipe('settings'))).toMatchObject({ code: 'ERR_UPLOAD_NO_RECIPE' })
  })

  test('that is faulty is refused by name', async () => {
    objects['postcard.json'] = '{"operation":"edti"}'
    expect(await caught(() => open().recipe('postcard'))).toMatchObject({ code: 'ERR_RECIPE_INVALID' })
  })
})

describe('the settings', () => {
  test('are the defaults where there is no file', async () => {
    expect(await open().settings()).toMatchObject({ maxWaitHours: 168 })
    expect(faults).toEqual([])
  })

  test('are the same for all jobs of a cold batch', async () => {
    objects['settings.json'] = '{"maxWaitHours":1}'
    const bucket = open()
    const all = await Promise.all(Array.from({ length: 5 }, () => bucket.settings()))
    expect(all.map(({ maxWaitHours }) => maxWaitHours)).toEqual([1, 1, 1, 1, 1])
    expect(reads()).toBe(1)
  })

  test('that nobody has read yet are waited for when S3 fails: no job runs as if there were none', async () => {
    objects['settings.json'] = awsError('SlowDown', 503)
    const bucket = open()
    expect(await caught(() => bucket.settings())).toMatchObject({ code: 'ERR_AWS_UNAVAILABLE' })
    objects['settings.json'] = '{"maxWaitHours":1}'
    expect((await bucket.settings()).maxWaitHours).toBe(1)
  })

  test('are read once a minute, and a change is seen in the next', async () => {
    const bucket = open()
    objects['settings.json'] = '{"maxWaitHours":1}'
    expect((await bucket.settings()).maxWaitHours).toBe(1)
    objects['settings.json'] = '{"maxWaitHours":2}'
    time += 59_999
    expect((await bucket.settings()).maxWaitHours).toBe(1)
    expect(reads()).toBe(1)
    time += 1
    expect((await bucket.settings()).maxWaitHours).toBe(2)
  })

  test.each<[string, string | Error]>([
    ['is no JSON', '{'],
    ['has a typo', '{"maxWaitHour":3}'],
    ['cannot be read', awsError('SlowDown', 503)],
  ])('stay as they were when the file %s, and that is reported', async (_, object) => {
    const bucket = open()
    objects['settings.json'] = '{"maxWaitHours":1}'
    await bucket.settings()
    objects['settings.json'] = object
    time += 60_000
    expect((await bucket.settings()).maxWaitHours).toBe(1)
    expect(faults).toHaveLength(1)
    await bucket.settings()
    expect(faults).toHaveLength(1)
  })

  test('are the defaults again when the file is gone', async () => {
    const bucket = open()
    objects['settings.json'] = '{"maxWaitHours":1}'
    await bucket.settings()
    delete objects['settings.json']
    time += 60_000
    expect((await bucket.settings()).maxWaitHours).toBe(168)
  })
})
