import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeEach, describe, expect, test } from 'vitest'
import type { UploadNotice } from '../lib/aws/events.ts'
import { createRecipeBucket } from '../lib/aws/recipe-bucket.ts'
import { createStorage } from '../lib/aws/storage.ts'
import { openJobMessage, openUpload } from '../lib/intake.ts'
import { awsError } from './helpers/aws.ts'
import { caught } from './helpers/caught.ts'

const SENT = Date.parse('2026-11-21T20:00:00Z')
const facts = { messageId: 'm-1', firstSeenAt: SENT }

describe('a message of the jobs queue', () => {
  const open = (body: object, more: { id?: string; messageId?: string } = {}) =>
    openJobMessage(JSON.stringify({ operation: 'generate', prompt: 'a cup', ...body }), { ...facts, ...more })

  test('with an id of its own is that job', () => {
    expect(open({ id: 'order-17' })).toMatchObject({
      id: 'order-17',
      spareId: 'msg-m-1',
      firstSeenAt: SENT,
      prefix: 'jobs',
    })
  })

  test('without one is known by the id of its first sending, also when it is sent again', () => {
    expect(open({}).id).toBe('msg-m-1')
    expect(open({}, { messageId: 'm-2', id: 'msg-m-1' }).id).toBe('msg-m-1')
  })

  test.each(['up-1', 'msg-1', 'sch-1', '..', 'a/b', '', 7, null])(
    'with an id that no job may have (%j) gets a result that says so, under the message’s id',
    async id => {
      const intake = open({ id })
      expect(intake.id).toBe('msg-m-1')
      expect(await caught(() => intake.read())).toMatchObject({
        code: 'ERR_JOB_INVALID',
        message: expect.stringContaining('id:'),
      })
    },
  )

  test('is read as the job it holds', async () => {
    expect(await open({ id: 'a', inputs: ['s3://photos/a.jpg'] }).read()).toEqual({
      id: 'a',
      operation: 'generate',
      prompt: 'a cup',
      lane: 'now',
      inputs: [{ uri: 's3://photos/a.jpg' }],
    })
  })

  test('with a faulty field gets a result: only reading it fails', async () => {
    const intake = open({ id: 'order-17', promt: 'x' })
    expect(intake.id).toBe('order-17')
    expect(await caught(() => intake.read())).toMatchObject({ code: 'ERR_JOB_INVALID' })
  })

  test('over 128 KB is refused by its size', async () => {
    const slots = Object.fromEntries([1, 2, 3, 4, 5].map(slot => [`slot${slot}`, 'x'.repeat(30 * 1024)]))
    expect(await caught(() => open({ id: 'large', slots }).read())).toMatchObject({
      code: 'ERR_JOB_INVALID',
      message: expect.stringMatching(/^the message has \d+ bytes: a job has at most 131072$/),
    })
  })

  test('has the hash of its content, whatever order its fields came in', () => {
    const hash = (body: string) => openJobMessage(body, facts).hash
    expect(hash('{"operation":"generate","prompt":"a"}')).toBe(hash('{"prompt":"a", "operation":"generate"}'))
    expect(hash('{"operation":"generate","prompt":"a"}')).not.toBe(hash('{"operation":"generate","prompt":"b"}'))
  })

  test('that brings a job back from its batch names one that there may be, or is a faulty job', async () => {
    const resume = (id: string) => openJobMessage(JSON.stringify({ resume: { id, hash: 'h', prefix: 'jobs' } }), facts)
    expect(resume('up-1').id).toBe('up-1')
    const forged = resume('a/../../victim')
    expect(forged.id).toBe('msg-m-1')
    expect(await caught(() => forged.read())).toMatchObject({ code: 'ERR_JOB_INVALID' })
  })

  test.each(['', 'no json', '[]', 'null', '"text"', '7'])('that is no JSON object (%j) is no job', async body => {
    expect(await caught(() => openJobMessage(body, facts))).toMatchObject({ code: 'ERR_JOB_UNREADABLE' })
  })
})

const s3 = new S3Client({ region: 'us-east-1' })
const mock = mockClient(s3)
type Stored = { body?: string; metadata?: Record<string, string>; sizeBytes?: number }
let objects: Record<string, Stored>

beforeEach(() => {
  objects = {}
  mock.reset()
  const find = ({ Bucket, Key, VersionId }: { Bucket: string; Key: string; VersionId?: string }) => {
    const object = objects[`s3://${Bucket}/${Key}${VersionId ? `@${VersionId}` : ''}`]
    if (!object) throw awsError('NotFound', 404)
    return object
  }
  mock.on(HeadObjectCommand).callsFake(input => {
    const { body = '', metadata, sizeBytes = body.length } = find(input)
    return { ContentLength: sizeBytes, ETag: '"abc"', VersionId: input.VersionId, Metadata: metadata }
  })
  mock.on(GetObjectCommand).callsFake(input => {
    const { body = '' } = find(input)
    return { Body: { transformToByteArray: async () => Buffer.from(body) } }
  })
  mock.on(ListObjectsV2Command).resolves({ Contents: [{ Key: 'postcard.json' }] })
})

function upload(
  key: string,
  { uploadedJobs = true, ...more }: Partial<UploadNotice> & { uploadedJobs?: boolean } = {},
) {
  const storage = createStorage(s3)
  const recipes = createRecipeBucket(
    storage,
    'recipes',
    () => SENT,
    () => {},
  )
  const notice = { bucket: 'uploads', key, etag: 'abc', sequencer: '1', ...more }
  return openUpload(notice, facts, { storage, recipes, recipesBucket: 'recipes', uploadedJobs })
}

describe('an uploaded photo', () => {
  beforeEach(() => {
    objects['s3://recipes/postcard.json'] = {
      body: '{"operation":"style-transfer","slots":{"style":"a postcard"},"references":["postcard/stamp.png"]}',
    }
  })

  test('starts its recipe, with what its uploader set', async () => {
    objects['s3://uploads/postcard/a b/cup.jpg'] = { metadata: { 'slot-subject': 'a cup', camera: 'M6' } }
    const intake = upload('postcard/a b/cup.jpg')
    expect(await intake.read()).toEqual({
      operation: 'style-transfer',
      lane: 'now',
      slots: { style: 'a postcard', subject: 'a cup' },
      inputs: [{ uri: 's3://uploads/postcard/a b/cup.jpg' }, { uri: 's3://recipes/postcard/stamp.png' }],
    })
    expect(intake).toMatchObject({
      id: expect.stringMatching(/^up-[0-9a-f]{32}$/),
      firstSeenAt: SENT,
      source: 's3://uploads/postcard/a b/cup.jpg',
      prefix: 'postcard/a b/cup',
    })
    expect(intake.spareId).toBe(intake.id)
  })

  test('is the one that the notice named, or none', async () => {
    const source = 's3://uploads/postcard/cup.jpg'
    expect(upload('postcard/cup.jpg').pins.get(source)).toEqual({ etag: 'abc', versionId: undefined })
    expect(upload('postcard/cup.jpg', { versionId: 'null' }).pins.get(source)).toEqual({ etag: 'abc' })
    expect(upload('postcard/cup.jpg', { versionId: 'v1' }).pins.get(source)).toEqual({ etag: 'abc', versionId: 'v1' })
    expect(upload('postcard/cup.jpg', { etag: undefined }).pins.size).toBe(0)
  })

  test('has the metadata of its own version', async () => {
    objects['s3://uploads/postcard/cup.jpg'] = { metadata: { 'slot-subject': 'a later cup' } }
    objects['s3://uploads/postcard/cup.jpg@v1'] = { metadata: { 'slot-subject': 'the first cup' } }
    const { slots } = await upload('postcard/cup.jpg', { versionId: 'v1' }).read()
    expect(slots).toMatchObject({ subject: 'the first cup' })
  })

  test.each<[string, Record<string, Stored>, string, string]>([
    ['postcard/cup.jpg', {}, 'ERR_INPUT_NOT_FOUND', 'was gone before it could be edited'],
    ['postcards/cup.jpg', { 's3://uploads/postcards/cup.jpg': {} }, 'ERR_UPLOAD_NO_RECIPE', 'there are: postcard'],
    ['cup.jpg', {}, 'ERR_UPLOAD_NO_RECIPE', 'upload it to <recipe>/cup.jpg'],
    ['postcard/cup.txt', {}, 'ERR_UPLOAD_NOT_AN_IMAGE', 'convert the photo first'],
    [
      'postcard/cup.jpg',
      { 's3://uploads/postcard/cup.jpg': { metadata: { 'darkroom-job': 'order-17' } } },
      'ERR_UPLOAD_IS_A_RESULT',
      'is a result of job order-17',
    ],
    [
      'postcard/cup.jpg',
      { 's3://uploads/postcard/cup.jpg': { metadata: { model: 'gemini-3-pro-image' } } },
      'ERR_UPLOAD_METADATA',
      'metadata model is not in its "allow"',
    ],
    [
      'postcard/cup.jpg',
      { 's3://uploads/postcard/cup.jpg': { metadata: { 'slot-subject': '' } } },
      'ERR_JOB_INVALID',
      'slots.subject',
    ],
    [
      'postcard/cup.jpg',
      { 's3://uploads/postcard/cup.jpg': {}, 's3://recipes/postcard.json': { body: '{' } },
      'ERR_RECIPE_INVALID',
      'recipe postcard.json is no JSON',
    ],
  ])('that cannot be edited ends with a reason: %s %#', async (key, stored, code, message) => {
    Object.assign(objects, stored)
    expect(await caught(() => upload(key).read())).toMatchObject({ code, message: expect.stringContaining(message) })
  })
})

describe('the results of an upload lie under its key without the extension', () => {
  test.each([
    ['postcard/cup.jpg', 'postcard/cup'],
    ['postcard/a.b/cup.tar.jpeg', 'postcard/a.b/cup.tar'],
    ['postcard/.jpg', 'postcard/.jpg'],
    ['orders/17.job.json', 'orders/17'],
    ['orders/17.JOB.JSON', 'orders/17'],
    ['readme', 'readme'],
    ['a.b/readme', 'a.b/readme'],
  ])('%s: %s', (key, prefix) => {
    expect(upload(key).prefix).toBe(prefix)
  })
})

describe('an uploaded job', () => {
  const key = 'orders/17.job.json'
  const uri = `s3://uploads/${key}`
  const job = (fields: object = {}) => JSON.stringify({ operation: 'edit', prompt: 'make it blue', ...fields })

  test('runs where uploaded jobs run, and means its own folder by relative names', async () => {
    objects[uri] = {
      body: job({ inputs: ['cup.jpg', './b.jpg', 's3://photos/c.jpg', { uri: 'd/e.jpg', role: 'mask' }] }),
    }
    const { inputs } = await upload(key).read()
    expect(inputs).toEqual([
      { uri: 's3://uploads/orders/cup.jpg' },
      { uri: 's3://uploads/orders/b.jpg' },
      { uri: 's3://photos/c.jpg' },
      { uri: 's3://uploads/orders/d/e.jpg', role: 'mask' },
    ])
  })

  test('at the top of the bucket means the top of the bucket', async () => {
    objects['s3://uploads/a.job.json'] = { body: job({ inputs: ['cup.jpg'] }) }
    expect((await upload('a.job.json').read()).inputs).toEqual([{ uri: 's3://uploads/cup.jpg' }])
  })

  test('is the version that the notice named', async () => {
    objects[uri] = { body: job({ prompt: 'later' }) }
    objects[`${uri}@v1`] = { body: job({ prompt: 'first' }) }
    expect((await upload(key, { versionId: 'v1' }).read()).prompt).toBe('first')
  })

  test('is refused where they are switched off, unread', async () => {
    expect(await caught(() => upload(key, { uploadedJobs: false }).read())).toMatchObject({
      code: 'ERR_UPLOAD_JOBS_OFF',
    })
    expect(mock.calls()).toHaveLength(0)
  })

  test('over 128 KB is refused by its size, unread', async () => {
    objects[uri] = { sizeBytes: 131_073 }
    expect(await caught(() => upload(key).read())).toMatchObject({
      code: 'ERR_JOB_INVALID',
      message: `${uri} has 131073 bytes: a job has at most 131072`,
    })
    expect(mock.commandCalls(GetObjectCommand)).toHaveLength(0)
  })

  test.each<[string, Stored | undefined, string]>([
    ['is gone', undefined, 'ERR_INPUT_NOT_FOUND'],
    ['is no JSON', { body: '{' }, 'ERR_JOB_UNREADABLE'],
    ['is a list', { body: '[]' }, 'ERR_JOB_UNREADABLE'],
    ['is null', { body: 'null' }, 'ERR_JOB_UNREADABLE'],
    ['has a typo', { body: job({ promt: 'x' }) }, 'ERR_JOB_INVALID'],
    ['has inputs that are none', { body: job({ inputs: [7, null, []] }) }, 'ERR_JOB_INVALID'],
    ['has inputs that are no list', { body: job({ inputs: 'cup.jpg' }) }, 'ERR_JOB_INVALID'],
  ])('that %s ends with a reason', async (_, stored, code) => {
    if (stored) objects[uri] = stored
    expect(await caught(() => upload(key).read())).toMatchObject({ code })
  })
})
