import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Stack, startStack } from '../../infra/local/stack.ts'
import { createLatest, type Edition } from '../../lib/aws/latest.ts'

const edition = (id: string, plannedAt: string): Edition => ({
  id,
  plannedAt,
  result: `weather/Oslo/${id}/result.json`,
  image: `weather/Oslo/${id}/image-1.jpg`,
  images: [`weather/Oslo/${id}/image-1.jpg`],
})

describe('latest.json', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startStack({ functions: [] })
  })
  afterAll(() => stack.close())

  const bucket = () => stack.env.RESULTS_BUCKET ?? ''
  const read = async (Key: string) => {
    const object = await stack.s3.send(new GetObjectCommand({ Bucket: bucket(), Key }))
    return { json: JSON.parse((await object.Body?.transformToString()) ?? ''), type: object.ContentType }
  }

  test('names the first edition there is', async () => {
    const first = edition('first', '2026-11-21T06:00:00.000Z')
    expect(await createLatest(stack.s3).publish(bucket(), 'weather/Oslo', first)).toBe('published')
    expect(await read('weather/Oslo/latest.json')).toEqual({ json: first, type: 'application/json' })
  })

  test('moves forwards in planned time, and never back', async () => {
    const latest = createLatest(stack.s3)
    const publish = (id: string, plannedAt: string) => latest.publish(bucket(), 'forwards', edition(id, plannedAt))
    expect(await publish('tuesday', '2026-11-24T06:00:00.000Z')).toBe('published')
    expect(await publish('monday', '2026-11-23T06:00:00.000Z')).toBe('kept')
    expect(await publish('tuesday', '2026-11-24T06:00:00.000Z')).toBe('kept')
    expect(await publish('wednesday', '2026-11-25T06:00:00.000Z')).toBe('published')
    expect((await read('forwards/latest.json')).json.id).toBe('wednesday')
  })

  test('is the newest in the end, also when a week’s editions come at once', async () => {
    const days = [4, 1, 7, 3, 6, 2, 5]
    const outcomes = await Promise.all(
      days.map(day =>
        createLatest(stack.s3).publish(bucket(), 'week', edition(`day-${day}`, `2026-11-0${day}T06:00:00.000Z`)),
      ),
    )
    expect((await read('week/latest.json')).json.id).toBe('day-7')
    expect(outcomes[2]).toBe('published')
  })

  test.each(['no JSON', '{}', '{"plannedAt":"tomorrow"}'])('replaces what nobody can read: %j', async Body => {
    await stack.s3.send(new PutObjectCommand({ Bucket: bucket(), Key: 'broken/latest.json', Body }))
    const latest = createLatest(stack.s3)
    expect(await latest.publish(bucket(), 'broken', edition('new', '2026-11-21T06:00:00.000Z'))).toBe('published')
  })
})

test('an edition that others always come before waits for its turn', async () => {
  const s3 = mockClient(S3Client)
  const failure = (name: string, httpStatusCode: number) =>
    Object.assign(new Error(name), { name, $metadata: { httpStatusCode } })
  s3.on(GetObjectCommand).rejects(failure('NoSuchKey', 404))
  s3.on(PutObjectCommand).rejects(failure('ConditionalRequestConflict', 409))
  const publish = createLatest(new S3Client()).publish('results', 'busy', edition('a', '2026-11-21T06:00:00.000Z'))
  await expect(publish).rejects.toMatchObject({ code: 'ERR_AWS_UNAVAILABLE', remedy: 'wait' })
  s3.on(PutObjectCommand).rejects(failure('AccessDenied', 403))
  const refused = createLatest(new S3Client()).publish('results', 'busy', edition('a', '2026-11-21T06:00:00.000Z'))
  await expect(refused).rejects.toMatchObject({ code: 'ERR_AWS_FORBIDDEN', remedy: 'repair' })
  s3.restore()
})
