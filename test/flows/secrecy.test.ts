import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'

const KEY = 'AIza-recognisable-9f3c1e'
const PROMPT = 'unmistakable heron'

const jpeg = sharp({ create: { width: 64, height: 48, channels: 3, background: '#a85' } })
  .jpeg()
  .toBuffer()

const QUEUES = ['darkroom-jobs', 'darkroom-uploads', 'darkroom-jobs-dead-letter', 'darkroom-uploads-dead-letter']

/** Everything that a run wrote and left: log lines and files, objects with their metadata, rows, messages, notices. */
async function collect({ stack, env, lines, notices }: Bench) {
  const logFolder = join(stack.stateFolder, 'logs')
  const logs = [...lines, ...readdirSync(logFolder).map(file => readFileSync(join(logFolder, file), 'utf8'))]
  const objects: string[] = []
  for (const Bucket of [env.RESULTS_BUCKET, env.UPLOADS_BUCKET, env.RECIPES_BUCKET]) {
    const { Contents = [] } = await stack.s3.send(new ListObjectsV2Command({ Bucket }))
    for (const { Key } of Contents) {
      const { Body, Metadata } = await stack.s3.send(new GetObjectCommand({ Bucket, Key }))
      objects.push(`${Bucket}/${Key} ${JSON.stringify(Metadata)} ${await Body?.transformToString('latin1')}`)
    }
  }
  const { Items } = await stack.dynamodb.send(new ScanCommand({ TableName: env.LEDGER_TABLE }))
  const messages: string[] = []
  for (const queue of QUEUES) {
    const QueueUrl = stack.queueUrl(queue)
    const receive = { QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }
    const { Messages } = await stack.sqs.send(new ReceiveMessageCommand(receive))
    messages.push(...(Messages ?? []).map(message => JSON.stringify(message)))
  }
  return { logs, objects, ledger: [JSON.stringify(Items)], messages, notices: [JSON.stringify(notices)] }
}

describe('a run in which jobs end in every way', () => {
  let darkroom: Bench
  let left: Awaited<ReturnType<typeof collect>>
  beforeAll(async () => {
    darkroom = await openDarkroom({ clockFactor: 30, standInKey: KEY, env: { UPLOADED_JOBS: 'on' } })
    const { control } = darkroom.gemini
    await darkroom.putRecipe('p', { operation: 'edit', allow: ['prompt'] })
    const run = (id: string, more: object = {}) =>
      darkroom.send({ id, operation: 'generate', prompt: `${PROMPT} <${id}>`, ...more })
    const meet = (id: string) => ({ times: 1, match: { promptIncludes: `<${id}>` } })

    control.fail({ fault: 'key-invalid', ...meet('repaired') })
    control.fail({ fault: 'rate', delayMs: 60_000, ...meet('waited') })
    control.fail({ fault: 'cut', ...meet('cut') })
    control.fail({ fault: 'invalid', ...meet('invalid') })
    control.reply({ reply: 'blocked-SAFETY', ...meet('blocked') })
    for (const id of ['done', 'repaired', 'waited', 'cut', 'invalid', 'blocked']) await run(id)
    await run('failed', { slots: { wrong: PROMPT } })
    await run('misspelt', { promt: PROMPT })
    await darkroom.sendRaw(`{ "prompt": ${PROMPT} }`)
    await darkroom.drop('p/photo.jpg', await jpeg, { prompt: PROMPT })
    await darkroom.drop('p/refused.jpg', await jpeg, { prompt: PROMPT, lane: PROMPT })
    await darkroom.drop('p/job.job.json', `{ "prompt": ${PROMPT} }`)
    // Somebody's own file where a result should be: a bug, as far as Darkroom knows, that is tried five times.
    await darkroom.stack.s3.send(new PutObjectCommand(inTheWay()))
    await run('bug')
    const isDeadLettered = async () => (await darkroom.depth('darkroom-jobs-dead-letter')) === 2
    await until('every job is over', () => darkroom.notices.length === 11, 60_000)
    await until('the bug and the message that was no job are dead letters', isDeadLettered, 60_000)
    await darkroom.stack.pausePollers()
    left = await collect(darkroom)
  }, 120_000)
  afterAll(() => darkroom[Symbol.asyncDispose]())

  const inTheWay = () => ({
    Bucket: darkroom.env.RESULTS_BUCKET as string,
    Key: 'jobs/bug/result.json',
    Body: `${PROMPT} {`,
  })

  it('ends them in every way', () => {
    const ends = Object.fromEntries(darkroom.notices.map(({ id, status, code }) => [id, code ?? status]))
    expect(ends).toMatchObject({
      done: 'done',
      repaired: 'done',
      waited: 'done',
      cut: 'done',
      invalid: 'ERR_GEMINI_REQUEST',
      blocked: 'ERR_REPLY_BLOCKED',
      failed: 'ERR_JOB_SLOTS',
      misspelt: 'ERR_JOB_INVALID',
    })
    for (const written of Object.values(left)) expect(written.length).toBeGreaterThan(0)
  })

  it.for(['logs', 'objects', 'ledger', 'messages', 'notices'] as const)(
    'leaves the API key in none of its %s',
    place => {
      expect(darkroom.gemini.calls.some(({ outcome }) => outcome === 'answered')).toBe(true)
      expect(left[place].filter(text => text.includes(KEY))).toEqual([])
    },
  )

  it('leaves no prompt in its logs', () => {
    expect(left.objects.some(text => text.includes(PROMPT))).toBe(true)
    expect(left.logs.filter(text => /unmistak|heron/.test(text))).toEqual([])
  })

  it('writes its log in lines of printable JSON', () => {
    for (const line of darkroom.lines.filter(text => text.startsWith('{'))) {
      expect(() => JSON.parse(line)).not.toThrow()
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u)
    }
  })
})

test('a key that was pasted with a line break in it costs no job, and is shown to nobody', async () => {
  await using darkroom = await openDarkroom({ clockFactor: 30, env: { GEMINI_API_KEY: `${KEY}\nand more` } })
  await darkroom.send({ id: 'pasted', operation: 'generate', prompt: PROMPT })
  await until(
    'the job waits for the repair',
    async () => (await darkroom.row('pasted'))?.waitReason === 'ERR_GEMINI_KEY',
  )
  await until('the log says so', () => darkroom.lines.some(line => line.includes('ERR_GEMINI_KEY')))
  const left = await collect(darkroom)
  expect(
    Object.values(left)
      .flat()
      .filter(text => text.includes(KEY)),
  ).toEqual([])
  expect(await darkroom.row('pasted')).toMatchObject({ status: 'waiting' })
})
