import { readFile } from 'node:fs/promises'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Result } from '../../lib/result.ts'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'
import { photo } from '../helpers/photos.ts'

describe('a session on the local stack', () => {
  let darkroom: Bench
  beforeAll(async () => {
    darkroom = await openDarkroom({ clockFactor: 30 })
  })
  afterEach(() => darkroom.gemini.control.clear())
  afterAll(() => darkroom[Symbol.asyncDispose]())

  const callsFor = (prompt: string) => darkroom.gemini.calls.filter(call => call.prompt.includes(prompt))
  const turn = (session: string, n: number, fields: object = {}) =>
    darkroom.send({
      id: `${session}-${n}`,
      session,
      operation: n === 1 ? 'generate' : 'edit',
      prompt: `${session} turn ${n}.`,
      ...fields,
    })
  const resultOf = (session: string, n: number) => darkroom.result(`jobs/${session}-${n}/`)
  const take = async (session: string, n: number, fields: object = {}): Promise<Result> => {
    await turn(session, n, fields)
    return resultOf(session, n)
  }
  const expire = (key: string) =>
    darkroom.stack.s3.send(new DeleteObjectCommand({ Bucket: darkroom.env.RESULTS_BUCKET, Key: key }))

  it('goes on for ten turns, with every signature sent back as it came', async () => {
    const results: Result[] = []
    for (let n = 1; n <= 10; n += 1) results.push(await take('kitchen', n))
    expect(results.map(({ status, session, warnings }) => ({ status, session, warnings }))).toEqual(
      results.map((_, at) => ({
        status: 'done',
        session: { name: 'kitchen', turn: at + 1, ...(at > 0 && { continuesFrom: `kitchen-${at}` }) },
        warnings: [],
      })),
    )
    // The nine pictures of the turns before went along with the tenth, none of them as an input.
    expect(callsFor('kitchen turn 10.')).toMatchObject([{ images: 9, outcome: 'answered' }])
    expect(results[9]?.inputs).toEqual([])
    expect(results[9]?.images).toMatchObject([{ width: results[0]?.images[0]?.width }])
  })

  it('sends back what its users brought, at the version that was brought', async () => {
    const bytes = await readFile(photo('nagasaki-boats'))
    await darkroom.drop('harbour.jpg', bytes)
    const uri = `s3://${darkroom.env.UPLOADS_BUCKET}/harbour.jpg`
    await take('harbour', 1, { operation: 'edit', inputs: [uri] })
    await darkroom.drop('scarf.jpg', await readFile(photo('march-pastoral')))
    const scarf = { uri: `s3://${darkroom.env.UPLOADS_BUCKET}/scarf.jpg`, role: 'object' }
    const second = await take('harbour', 2, { inputs: [scarf] })
    expect(second).toMatchObject({ status: 'done', session: { turn: 2, continuesFrom: 'harbour-1' }, warnings: [] })
    expect(callsFor('harbour turn 2.')).toMatchObject([{ images: 3, outcome: 'answered' }])

    await darkroom.drop('harbour.jpg', await readFile(photo('dust-bowl-home')))
    const third = await take('harbour', 3)
    expect(third.status).toBe('done')
    expect(third.session?.fresh).toMatch(/^input s3:.*harbour\.jpg of job harbour-1 is gone or was overwritten$/)
  })

  it('of which three turns come at once runs them in the order of receipt, one at a time', async () => {
    darkroom.gemini.control.slow({ ms: 5000, match: { promptIncludes: 'rush' } })
    await Promise.all([1, 2, 3].map(n => turn('rush', n, { operation: 'generate' })))
    const results = await darkroom.results('jobs/rush-', 3)
    const inOrder = results.toSorted((a, b) => (a.session?.turn ?? 0) - (b.session?.turn ?? 0))
    expect(inOrder.map(({ session }) => session)).toEqual([
      { name: 'rush', turn: 1 },
      { name: 'rush', turn: 2, continuesFrom: inOrder[0]?.job.id },
      { name: 'rush', turn: 3, continuesFrom: inOrder[1]?.job.id },
    ])
    const calls = inOrder.map(({ job }) => callsFor(`rush turn ${job.id.at(-1)}.`))
    for (const [at, [call, ...more]] of calls.entries()) {
      expect(more).toEqual([])
      expect(call?.at).toBeGreaterThanOrEqual(calls[at - 1]?.[0]?.endedAt ?? 0)
    }
    await darkroom.drained()
  })

  it('goes on from the last good turn when one in the middle is refused', async () => {
    await take('refused', 1)
    darkroom.gemini.control.reply({ reply: 'IMAGE_SAFETY', match: { promptIncludes: 'refused turn 2.' } })
    await Promise.all([turn('refused', 2), turn('refused', 3)])
    const [second, third] = await Promise.all([resultOf('refused', 2), resultOf('refused', 3)])
    expect(second).toMatchObject({ status: 'refused', error: { code: 'ERR_REPLY_BLOCKED' } })
    const before = third.session?.turn === 3 ? { continuesFrom: 'refused-1' } : {}
    expect(third).toMatchObject({ status: 'done', session: { name: 'refused', ...before }, warnings: [] })
    const fourth = await take('refused', 4)
    expect(fourth.session).toEqual({ name: 'refused', turn: 4, continuesFrom: 'refused-3' })
    expect(callsFor('refused turn 4.')).toMatchObject([{ images: 2, outcome: 'answered' }])
  })

  it('does not count a turn twice that is delivered again', async () => {
    const release = darkroom.gemini.control.hold({ promptIncludes: 'again turn 1.' })
    await turn('again', 1)
    await until('the first turn is called', () => callsFor('again turn 1.').length === 1)
    for (let n = 0; n < 5; n += 1) await turn('again', 2)
    await until('the second waits', async () => (await darkroom.row('again-2'))?.waitReason === 'ERR_SESSION_BUSY')
    for (let n = 0; n < 5; n += 1) await turn('again', 2)
    release()
    expect((await resultOf('again', 2)).session).toEqual({ name: 'again', turn: 2, continuesFrom: 'again-1' })
    await darkroom.drained()
    expect(callsFor('again turn 2.')).toHaveLength(1)
    expect((await take('again', 3)).session?.turn).toBe(3)
  })

  it('starts afresh from the last picture when the model changes, and goes on from there', async () => {
    const first = await take('model', 1)
    const second = await take('model', 2, { model: 'gemini-3-pro-image' })
    const fresh = 'the model changed from gemini-nano-banana-2.1 to gemini-3-pro-image'
    expect(second).toMatchObject({
      status: 'done',
      session: { name: 'model', turn: 2, continuesFrom: 'model-1', fresh },
      warnings: [`session model starts afresh from its last picture: ${fresh}`],
      inputs: [{ uri: `s3://${darkroom.env.RESULTS_BUCKET}/${first.images[0]?.key}` }],
    })
    const third = await take('model', 3, { model: 'gemini-3-pro-image' })
    expect(third).toMatchObject({ status: 'done', session: { turn: 3, continuesFrom: 'model-2' }, warnings: [] })
    expect(third.session?.fresh).toBeUndefined()
    // The picture that the second turn started from, and the one that it made.
    expect(callsFor('model turn 3.')).toMatchObject([{ images: 2, outcome: 'answered' }])
  })

  it('starts afresh from the last picture when a reply has expired', async () => {
    await take('expired', 1)
    await take('expired', 2)
    await expire('jobs/expired-1/response-1.json')
    const third = await take('expired', 3)
    expect(third).toMatchObject({
      status: 'done',
      session: { turn: 3, continuesFrom: 'expired-2', fresh: 'the reply to job expired-1 has expired' },
      inputs: [{ uri: expect.stringContaining('/jobs/expired-2/image-1.') }],
      warnings: [expect.stringContaining('the reply to job expired-1 has expired')],
    })
    const fourth = await take('expired', 4)
    expect(fourth).toMatchObject({ status: 'done', warnings: [] })
  })

  it('is no place for an edit of nothing, nor for the batch lane; the next turn does not mind', async () => {
    expect(await take('nothing', 1, { operation: 'edit' })).toMatchObject({
      status: 'failed',
      error: {
        code: 'ERR_JOB_INPUTS',
        message: 'edit takes at least 1 input, got 0, and no turn of session nothing is done that it could go on from',
      },
    })
    expect(await take('nothing', 2, { lane: 'batch' })).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_JOB_SESSION_BATCH', remedy: 'change' },
    })
    const third = await take('nothing', 3, { operation: 'generate' })
    expect(third).toMatchObject({ status: 'done', session: { name: 'nothing', turn: 2 } })
  })
})

it('a turn whose function is killed keeps its place: the one behind it waits for its picture', async () => {
  // A killed function's message comes back after half an hour, so the hour is made short: 15 seconds.
  await using darkroom = await openDarkroom({ clockFactor: 120 })
  const send = (n: number) =>
    darkroom.send({ id: `killed-${n}`, session: 'killed', operation: 'generate', prompt: `killed turn ${n}.` })
  darkroom.gemini.control.fail({ fault: 'hang', times: 1 })
  await send(1)
  await until('the call hangs', () => darkroom.gemini.calls.length === 1)
  expect(darkroom.stack.lambda.kill('job')).toHaveLength(1)
  await send(2)
  const results = await darkroom.results('jobs/killed-', 2)
  expect(results.map(({ session, status }) => ({ session, status }))).toEqual([
    { session: { name: 'killed', turn: 1 }, status: 'done' },
    { session: { name: 'killed', turn: 2, continuesFrom: 'killed-1' }, status: 'done' },
  ])
  expect(darkroom.gemini.calls).toHaveLength(3)
})
