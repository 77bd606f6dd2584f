import { CopyObjectCommand } from '@aws-sdk/client-s3'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'

const jpeg = sharp({ create: { width: 64, height: 48, channels: 3, background: '#a85' } })
  .jpeg()
  .toBuffer()

describe('results that somebody copies into the uploads bucket', () => {
  let darkroom: Bench
  beforeAll(async () => {
    darkroom = await openDarkroom({ clockFactor: 30, env: { UPLOADED_JOBS: 'on' } })
    await darkroom.putRecipe('p', { operation: 'edit', prompt: 'look', publishAs: 'p' })
    await darkroom.drop('p/photo.jpg', await jpeg)
    await darkroom.result('p/photo/')
  })
  afterAll(() => darkroom[Symbol.asyncDispose]())

  /** As a replication would. */
  async function copyBack(key: string) {
    const { UPLOADS_BUCKET, RESULTS_BUCKET } = darkroom.env
    const CopySource = `${RESULTS_BUCKET}/${encodeURI(key)}`
    await darkroom.stack.s3.send(new CopyObjectCommand({ Bucket: UPLOADS_BUCKET, Key: key, CopySource }))
  }

  it('start no job that is paid, and no round after the second', async () => {
    const copied = new Set<string>()
    const rounds: string[][] = []
    for (;;) {
      const fresh = (await darkroom.keys()).filter(key => !copied.has(key))
      if (fresh.length === 0 || rounds.length === 5) break
      rounds.push(fresh.map(key => key.split('/').at(-1) as string))
      for (const key of fresh) {
        copied.add(key)
        await copyBack(key)
      }
      await darkroom.drained()
    }
    // The picture may have been put there by a person, who is told so; that answer is answered no more.
    expect(rounds).toEqual([
      ['writable', 'latest.json', 'image-1.jpg', 'response-1.json', 'result.json', 'text.md'],
      ['result.json'],
    ])
    expect(darkroom.gemini.calls).toHaveLength(1)
    expect(darkroom.notices.map(({ code }) => code)).toEqual([undefined, 'ERR_UPLOAD_IS_A_RESULT'])
    const codes = darkroom.lines.filter(line => line.includes('ERR_UPLOAD_ECHO'))
    expect(codes).toHaveLength(6)
    expect(await darkroom.depth('darkroom-uploads-dead-letter')).toBe(0)
  })
})

test('a deployment whose results land where photos are awaited refuses to start, and edits nothing', async () => {
  await using ordinary = await openDarkroom()
  const { UPLOADS_BUCKET } = ordinary.env
  await using darkroom = await openDarkroom({ env: { RESULTS_BUCKET: UPLOADS_BUCKET } })
  await darkroom.drop('watercolour/photo.jpg', await jpeg)
  const refusals = () => darkroom.lines.filter(line => line.includes('every result would start a job'))
  await until('the function refuses to start', () => refusals().length > 0)
  await until('its invocation failed', () => darkroom.stack.lambda.counts('upload').failures > 0)
  expect(darkroom.gemini.calls).toHaveLength(0)
  expect(await darkroom.depth('darkroom-uploads')).toBe(1)
})
