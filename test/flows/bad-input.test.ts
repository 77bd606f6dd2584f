import { readFile } from 'node:fs/promises'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Code } from '../../lib/errors.ts'
import type { Result } from '../../lib/result.ts'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'
import { photo } from '../helpers/photos.ts'

let darkroom: Bench
let jpeg: Buffer
beforeAll(async () => {
  darkroom = await openDarkroom({ clockFactor: 30, env: { UPLOADED_JOBS: 'on' } })
  jpeg = await readFile(photo('dust-bowl-home'))
  await darkroom.putRecipe('typo', { operation: 'style-transfer', slotz: { style: 'x' } })
  await darkroom.putRecipe('broken', '{ "operation": ')
  await darkroom.putRecipe('far', { operation: 'edit', prompt: 'x', references: ['s3://somebody-else/secret.png'] })
  await darkroom.putRecipe('upwards', { operation: 'edit', prompt: 'x', references: ['../secret.png'] })
  await darkroom.putRecipe('open-slot', { operation: 'style-transfer', slots: { elements: 'thick lines' } })
  await darkroom.drop('watercolour/inputs/home.jpg', jpeg)
  await darkroom.result('watercolour/inputs/home/')
})
afterAll(() => darkroom[Symbol.asyncDispose]())

const uploads = () => `s3://${darkroom.env.UPLOADS_BUCKET}`

/** What a job that ends badly leaves behind: one result that names the code, a closed row, nothing in dead letters, no call. */
async function expectFailed(result: Result, code: Code, message: RegExp): Promise<void> {
  expect(result).toMatchObject({
    status: 'failed',
    error: { code, remedy: 'change' },
    images: [],
    cost: { usd: 0 },
    attempts: [],
  })
  expect(result.error?.message).toMatch(message)
  expect(await darkroom.row(result.job.id)).toMatchObject({ status: 'failed', code })
  expect(await darkroom.depth('darkroom-uploads-dead-letter')).toBe(0)
  expect(await darkroom.depth('darkroom-jobs-dead-letter')).toBe(0)
}

type Upload = {
  key: string
  body: () => Buffer | string | Promise<Buffer>
  metadata?: Record<string, string>
  code: Code
  message: RegExp
}

const UPLOADS: Record<string, Upload> = {
  'a text file named .png': {
    key: 'watercolour/a.png',
    body: () => 'Hello',
    code: 'ERR_INPUT_NOT_AN_IMAGE',
    message: /a\.png is not a PNG.*"Hello"/,
  },
  'an SVG named .png': {
    key: 'watercolour/b.png',
    body: () => '<svg xmlns="http://www.w3.org/2000/svg"/>',
    code: 'ERR_INPUT_NOT_AN_IMAGE',
    message: /"<svg/,
  },
  'an HTML page named .jpg': {
    key: 'watercolour/page.jpg',
    body: () => '<!doctype html><script>',
    code: 'ERR_INPUT_NOT_AN_IMAGE',
    message: /<!doctype/,
  },
  'an empty file': { key: 'watercolour/c.jpg', body: () => '', code: 'ERR_INPUT_EMPTY', message: /has no bytes/ },
  'a truncated JPEG': {
    key: 'watercolour/d.jpg',
    body: () => jpeg.subarray(0, 60_000),
    code: 'ERR_INPUT_DAMAGED',
    message: /end is missing/,
  },
  'a photo of 51 MB': {
    key: 'watercolour/e.jpg',
    body: () => Buffer.concat([jpeg, Buffer.alloc(51_000_000 - jpeg.length)]),
    code: 'ERR_INPUT_TOO_LARGE',
    message: /has 51 MB: inputs are taken up to 50 MB/,
  },
  'a bomb of 900 megapixels': {
    key: 'watercolour/f.png',
    body: bomb,
    code: 'ERR_INPUT_TOO_LARGE',
    message: /30000×30000 pixels/,
  },
  'a photo in no folder': {
    key: 'g.jpg',
    body: () => jpeg,
    code: 'ERR_UPLOAD_NO_RECIPE',
    message: /upload it to <recipe>\/g\.jpg/,
  },
  'an unknown recipe': {
    key: 'nope/h.jpg',
    body: () => jpeg,
    code: 'ERR_UPLOAD_NO_RECIPE',
    message: /no recipe nope; there are: .*watercolour/,
  },
  'a file that is no photo by its name': {
    key: 'watercolour/i.pdf',
    body: () => '%PDF',
    code: 'ERR_UPLOAD_NOT_AN_IMAGE',
    message: /i\.pdf is no \.png/,
  },
  'a recipe with a typo': {
    key: 'typo/j.jpg',
    body: () => jpeg,
    code: 'ERR_RECIPE_INVALID',
    message: /typo\.json: .*"slotz"/,
  },
  'a recipe that is no JSON': {
    key: 'broken/k.jpg',
    body: () => jpeg,
    code: 'ERR_RECIPE_INVALID',
    message: /broken\.json is no JSON/,
  },
  'a recipe with a reference in a foreign bucket': {
    key: 'far/l.jpg',
    body: () => jpeg,
    code: 'ERR_INPUT_BUCKET',
    message: /add somebody-else to INPUT_BUCKETS/,
  },
  'a recipe whose reference climbs': {
    key: 'upwards/m.jpg',
    body: () => jpeg,
    code: 'ERR_RECIPE_INVALID',
    message: /without "\.\."/,
  },
  'metadata that the recipe does not allow': {
    key: 'watercolour/n.jpg',
    body: () => jpeg,
    metadata: { session: 'mine' },
    code: 'ERR_UPLOAD_METADATA',
    message: /session is not in its "allow"/,
  },
  'metadata for a slot that the recipe fills': {
    key: 'watercolour/o.jpg',
    body: () => jpeg,
    metadata: { 'slot-style': 'x' },
    code: 'ERR_UPLOAD_METADATA',
    message: /slot style is filled/,
  },
  'a slot that nobody filled': {
    key: 'open-slot/p.jpg',
    body: () => jpeg,
    code: 'ERR_JOB_SLOTS',
    message: /slot style is missing/,
  },
  'a result that was put back into the uploads': {
    key: 'watercolour/q.jpg',
    body: () => jpeg,
    metadata: { 'darkroom-job': 'old' },
    code: 'ERR_UPLOAD_IS_A_RESULT',
    message: /result of job old/,
  },
  'a .job.json that is no JSON': {
    key: 'jobs-of-mine/r.job.json',
    body: () => 'no JSON',
    code: 'ERR_JOB_UNREADABLE',
    message: /is no JSON/,
  },
  'a .job.json with an id of its own': {
    key: 'jobs-of-mine/t.job.json',
    body: () => JSON.stringify({ id: 'mine', operation: 'generate', prompt: 'x' }),
    code: 'ERR_JOB_INVALID',
    message: /id: an uploaded job has its upload's/,
  },
  'metadata that would be header lines': {
    key: 'watercolour/t.jpg',
    body: () => jpeg,
    metadata: { 'slot-subject': encodeURIComponent('a cat\r\nx-goog-api-key: mine\r\n\r\n'), lane: 'now%0D%0Ax: y' },
    code: 'ERR_UPLOAD_METADATA',
    message: /metadata lane is "now\\r\\nx: y"/,
  },
  'a .job.json of 50 MB': {
    key: 'jobs-of-mine/s.job.json',
    body: () => Buffer.alloc(50_000_000, 32),
    code: 'ERR_JOB_INVALID',
    message: /50000000 bytes: a job has at most/,
  },
}

describe('an upload that cannot be edited ends failed and says why', () => {
  it.for(Object.entries(UPLOADS))('%s', async ([, { key, body, metadata, code, message }]) => {
    await darkroom.drop(key, await body(), metadata)
    const stem = key.replace(/(\.job)?\.\w+$/, '')
    await expectFailed(await darkroom.result(`${stem}/`), code, message)
    expect(darkroom.notices.filter(notice => notice.key.startsWith(`${stem}/`))).toHaveLength(1)
  })
})

type Message = { job: (uploads: string) => Record<string, unknown>; code: Code; message: RegExp }

const JOBS: Record<string, Message> = {
  'an unknown field': {
    job: () => ({ operation: 'generate', promt: 'x' }),
    code: 'ERR_JOB_INVALID',
    message: /unknown field "promt"/,
  },
  'an unknown operation': {
    job: () => ({ operation: 'paint', prompt: 'x' }),
    code: 'ERR_JOB_INVALID',
    message: /operation: .*"inpaint"/,
  },
  'no operation': { job: () => ({ prompt: 'x' }), code: 'ERR_JOB_INVALID', message: /operation/ },
  'a missing slot': {
    job: u => ({ operation: 'inpaint', slots: { element: 'the door' }, inputs: [`${u}/watercolour/inputs/home.jpg`] }),
    code: 'ERR_JOB_SLOTS',
    message: /slot becomes is missing/,
  },
  'an unknown slot': {
    job: () => ({ operation: 'sticker', slots: { subject: 'a cat', colour: 'red' } }),
    code: 'ERR_JOB_SLOTS',
    message: /unknown slot "colour"; it takes .*palette/,
  },
  'prompt and slots': {
    job: () => ({ operation: 'sticker', prompt: 'x', slots: { subject: 'x' } }),
    code: 'ERR_JOB_SLOTS',
    message: /got both/,
  },
  'no prompt': { job: () => ({ operation: 'generate' }), code: 'ERR_JOB_SLOTS', message: /needs a prompt/ },
  'a prompt of 40 KB': {
    job: () => ({ operation: 'generate', prompt: 'x'.repeat(40_000) }),
    code: 'ERR_JOB_INVALID',
    message: /prompt: is longer than 32 KB/,
  },
  'a message of 200 KB': {
    job: () => ({ operation: 'generate', prompt: 'x'.repeat(200_000) }),
    code: 'ERR_JOB_INVALID',
    message: /bytes: a job has at most 131072/,
  },
  'too few inputs': {
    job: u => ({ operation: 'compose', prompt: 'x', inputs: [`${u}/watercolour/inputs/home.jpg`] }),
    code: 'ERR_JOB_INPUTS',
    message: /at least 2 inputs, got 1/,
  },
  'too many inputs': {
    job: u => ({
      operation: 'edit',
      prompt: 'x',
      inputs: Array.from({ length: 15 }, () => `${u}/watercolour/inputs/home.jpg`),
    }),
    code: 'ERR_JOB_INPUTS',
    message: /at most 14 inputs, got 15/,
  },
  'an input that does not exist': {
    job: u => ({ operation: 'edit', prompt: 'x', inputs: [`${u}/watercolour/none.jpg`] }),
    code: 'ERR_INPUT_NOT_FOUND',
    message: /none\.jpg does not exist/,
  },
  'an input in a foreign bucket': {
    job: () => ({ operation: 'edit', prompt: 'x', inputs: ['s3://somebody-else/a.jpg'] }),
    code: 'ERR_INPUT_BUCKET',
    message: /add somebody-else to INPUT_BUCKETS/,
  },
  'an input that is no s3:// URI': {
    job: () => ({ operation: 'edit', prompt: 'x', inputs: ['https://example.com/a.jpg'] }),
    code: 'ERR_JOB_INVALID',
    message: /inputs\.0\.uri: is no s3:\/\//,
  },
  'a size in lower case': {
    job: () => ({ operation: 'generate', prompt: 'x', imageConfig: { imageSize: '1k' } }),
    code: 'ERR_JOB_INVALID',
    message: /imageSize.*"1K"/,
  },
  'a size that the model does not have': {
    job: () => ({ operation: 'generate', prompt: 'x', imageConfig: { imageSize: '512' } }),
    code: 'ERR_MODEL_OPTION',
    message: /imageSize 512 is not one of 1K, 2K, 4K/,
  },
  'a prefix that climbs': {
    job: () => ({ operation: 'generate', prompt: 'x', prefix: 'a/../../b' }),
    code: 'ERR_JOB_INVALID',
    message: /prefix: may not contain/,
  },
  'an id of Darkroom’s own kind': {
    job: () => ({ id: 'up-123', operation: 'generate', prompt: 'x' }),
    code: 'ERR_JOB_INVALID',
    message: /id: may not begin with/,
  },
}

describe('a job message that cannot be run ends failed and says why', () => {
  it.for(Object.entries(JOBS))('%s', async ([name, { job, code, message }]) => {
    const label = `bad: ${name}`
    const messageId = await darkroom.sendRaw(JSON.stringify({ ...job(uploads()), labels: [label] }))
    await expectFailed(await darkroom.result(`jobs/msg-${messageId}/`), code, message)
  })

  it('an id that stands for another job: the new one is answered apart, the old one stays as it is', async () => {
    const job = { id: 'taken', operation: 'generate', prompt: 'the first wish' }
    await darkroom.send(job)
    const first = await darkroom.result('jobs/taken/')
    const messageId = await darkroom.sendRaw(JSON.stringify({ ...job, prompt: 'another wish' }))
    await expectFailed(
      await darkroom.result(`jobs/msg-${messageId}/`),
      'ERR_JOB_ID_REUSED',
      /id taken belongs to another job/,
    )
    expect((await darkroom.fetch('jobs/taken/result.json')).bytes.toString()).toBe(
      `${JSON.stringify(first, null, 2)}\n`,
    )
    expect(await darkroom.row('taken')).toMatchObject({ status: 'done', claim: 1, calls: 1 })
  })
})

describe('a message that is no job', () => {
  it.for([
    ['no JSON', 'Hello'],
    ['an array', '[]'],
    ['a number', '42'],
  ] as const)('%s goes to the dead letters with its reason', async ([, body]) => {
    await darkroom.sendRaw(body)
    await until('it is in the dead letters', async () => (await darkroom.depth('darkroom-jobs-dead-letter')) === 1)
    const letter = await darkroom.takeDeadLetter('darkroom-jobs-dead-letter')
    expect(letter.body).toBe(body)
    expect(letter.reason).toMatch(/^ERR_JOB_UNREADABLE: the message is/)
  })
})

it('a notice of another bucket, the results for one, starts nothing: a loop has no second round', async () => {
  const before = await darkroom.keys()
  const s3 = { bucket: { name: darkroom.env.RESULTS_BUCKET }, object: { key: 'watercolour/loop.jpg', eTag: 'a' } }
  const notice = JSON.stringify({ Records: [{ eventName: 'ObjectCreated:Put', s3 }] })
  await darkroom.stack.sqs.send(
    new SendMessageCommand({ QueueUrl: darkroom.env.UPLOADS_QUEUE_URL, MessageBody: notice }),
  )
  await until('it is in the log', () => darkroom.lines.some(line => line.includes('notice of a foreign bucket')))
  await darkroom.drained()
  expect(await darkroom.keys()).toEqual(before)
})

it('none of all this cost a call', async () => {
  const prompts = darkroom.gemini.calls.map(({ prompt }) => prompt)
  expect(prompts.toSorted()).toEqual([expect.stringContaining('watercolour'), 'the first wish'].toSorted())
})

/** A PNG of a few kilobytes whose header says 30,000 × 30,000 pixels. */
async function bomb(): Promise<Buffer> {
  const png = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
    .png()
    .toBuffer()
  png.writeUInt32BE(30_000, 16)
  png.writeUInt32BE(30_000, 20)
  return png
}
