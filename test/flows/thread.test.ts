import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inspectImage } from '../../lib/image.ts'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'
import { photo } from '../helpers/photos.ts'

/** Virtual seconds in a real one: a function's five minutes are ten seconds. */
const FACTOR = 30

describe('a job on the local stack', () => {
  let darkroom: Bench
  beforeAll(async () => {
    darkroom = await openDarkroom({ clockFactor: FACTOR })
  })
  afterAll(() => darkroom[Symbol.asyncDispose]())

  const callsFor = (prompt: string) => darkroom.gemini.calls.filter(call => call.prompt.includes(prompt))

  it('comes back edited when its photo lands in the bucket', async () => {
    const bytes = await readFile(photo('nagasaki-boats'))
    await darkroom.drop('watercolour/harbour/Schöne Boote + 1%.jpg', bytes)
    const result = await darkroom.result('watercolour/harbour/')
    const { id } = result.job
    const folder = `watercolour/harbour/Schöne Boote + 1%/${id}`

    expect(result).toMatchObject({
      status: 'done',
      job: { operation: 'style-transfer', prompt: expect.stringContaining('watercolour') },
      model: { requested: 'gemini-nano-banana-2.1', used: 'gemini-nano-banana-2.1', version: 'gemini-nano-banana-2.1' },
      inputs: [
        {
          uri: `s3://${darkroom.env.UPLOADS_BUCKET}/watercolour/harbour/Schöne Boote + 1%.jpg`,
          width: 1024,
          height: 819,
        },
      ],
      cost: { lane: 'now', pricesAsOf: '2026-10-31' },
      attempts: [{ attempt: 1, outcome: 'reply' }],
      warnings: [],
    })
    expect(result.cost.usd).toBeGreaterThan(0.0336)
    expect(await darkroom.keys(`${folder}/`)).toEqual(
      ['image-1.jpg', 'response-1.json', 'result.json', 'text.md'].map(name => `${folder}/${name}`),
    )
    const image = await darkroom.fetch(`${folder}/image-1.jpg`)
    expect(inspectImage(image.bytes)).toMatchObject({ mimeType: 'image/jpeg', width: 1152, height: 928 })
    expect(result.images).toMatchObject([
      { key: `${folder}/image-1.jpg`, width: 1152, height: 928, bytes: image.bytes.length },
    ])
    expect(image.contentType).toBe('image/jpeg')
    expect(image.metadata).toMatchObject({
      'darkroom-job': id,
      'darkroom-operation': 'style-transfer',
      'darkroom-model': 'gemini-nano-banana-2.1',
    })
    expect(await darkroom.row(id)).toMatchObject({ status: 'done', calls: 1, kind: 'job' })
  })

  it('runs once, however often it is delivered', async () => {
    const job = JSON.stringify({ id: 'twenty', operation: 'generate', prompt: 'delivered twenty times' })
    await Promise.all(Array.from({ length: 20 }, () => darkroom.sendRaw(job)))
    const result = await darkroom.result('jobs/twenty/')
    expect(result.status).toBe('done')
    await darkroom.drained()
    await darkroom.sendRaw(job)
    await darkroom.drained()
    expect(callsFor('delivered twenty times')).toHaveLength(1)
    expect(darkroom.notices.filter(({ id }) => id === 'twenty')).toHaveLength(1)
    expect(await darkroom.row('twenty')).toMatchObject({ status: 'done', calls: 1, claim: 1 })
  })

  it('does not take its neighbours along when it has to wait', async () => {
    darkroom.gemini.control.fail({ fault: 'unavailable', match: { promptIncludes: 'the odd one' } })
    await darkroom.stack.pausePollers()
    const prompts = ['first', 'second', 'the odd one', 'fourth', 'fifth']
    for (const [n, prompt] of prompts.entries())
      await darkroom.send({ id: `batch-${n}`, operation: 'generate', prompt: `batch: ${prompt}` })
    darkroom.stack.resumePollers()
    for (const n of [0, 1, 3, 4]) expect((await darkroom.result(`jobs/batch-${n}/`)).status).toBe('done')
    await until('the odd one waits', async () => (await darkroom.row('batch-2'))?.status === 'waiting')
    expect(await darkroom.row('batch-2')).toMatchObject({ waitReason: 'ERR_GEMINI_UNAVAILABLE' })
    darkroom.gemini.control.clear()
    expect((await darkroom.result('jobs/batch-2/')).status).toBe('done')
    await darkroom.drained()
    for (const n of [0, 1, 3, 4]) expect(callsFor(`batch: ${prompts[n]}`)).toHaveLength(1)
  })

  it('survives a 429 that asks for two seconds, three 503s in a row and a cut connection', async () => {
    const { control } = darkroom.gemini
    const match = { promptIncludes: 'stormy' }
    control.fail({ fault: 'rate', delayMs: 2000, times: 1, match })
    control.fail({ fault: 'unavailable', times: 3, match })
    control.fail({ fault: 'cut', times: 1, match })
    await darkroom.send({ id: 'stormy', operation: 'generate', prompt: 'a stormy sea' })
    const result = await darkroom.result('jobs/stormy/')
    expect(result.status).toBe('done')
    expect(result.attempts.map(({ outcome }) => outcome)).toEqual([
      'ERR_GEMINI_RATE',
      'ERR_GEMINI_UNAVAILABLE',
      'ERR_GEMINI_UNAVAILABLE',
      'ERR_GEMINI_UNAVAILABLE',
      'ERR_GEMINI_BROKE_OFF',
      'reply',
    ])
    const [first, second] = callsFor('stormy')
    expect((second?.at ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThanOrEqual(2000)
  })
})
