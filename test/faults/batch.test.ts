import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Result } from '../../lib/result.ts'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'
import { photo } from '../helpers/photos.ts'

const SECRET = `whsec_${Buffer.from('known to the stack alone').toString('base64')}`

describe('a job of the batch lane', () => {
  let darkroom: Bench
  beforeAll(async () => {
    darkroom = await openDarkroom({ clockFactor: 30, env: { GEMINI_WEBHOOK_SECRET: SECRET } })
  })
  afterAll(() => darkroom[Symbol.asyncDispose]())

  const tick = () => darkroom.stack.lambda.invoke('batch-submit', {})
  const isParked = (id: string) => until(`${id} is parked`, async () => (await darkroom.row(id))?.status === 'batched')

  /** What must be the same in both lanes. */
  const common = ({ job, cost, timing: _, attempts, images, inputs, ...rest }: Result) => ({
    ...rest,
    job: { ...job, id: 'the id', lane: 'the lane' },
    cost: { pricesAsOf: cost.pricesAsOf },
    attempts: attempts.map(({ attempt, outcome, model }) => ({ attempt, outcome, model })),
    images: images.map(image => ({ ...image, key: image.key.replace(job.id, 'the id') })),
    inputs,
  })

  it('comes back as by the now lane, at half the price', async () => {
    const bytes = await readFile(photo('nagasaki-boats'))
    await darkroom.drop('in/boats.jpg', bytes)
    const uri = `s3://${darkroom.env.UPLOADS_BUCKET}/in/boats.jpg`
    const job = { operation: 'edit', prompt: 'make the sea calm', inputs: [uri] }
    await darkroom.send({ ...job, id: 'thread.now' })
    await darkroom.send({ ...job, id: 'thread.batch', lane: 'batch' })
    const now = await darkroom.result('jobs/thread.now/')
    await isParked('thread.batch')
    await darkroom.drained()
    expect(await tick()).toMatchObject({ ok: true })
    expect(darkroom.gemini.batches.all()).toMatchObject([{ rows: 1, model: 'gemini-nano-banana-2.1' }])
    await darkroom.gemini.batches.finish()
    expect(await tick()).toMatchObject({ ok: true })
    const batch = await darkroom.result('jobs/thread.batch/')
    expect(batch.status).toBe('done')
    expect(common(batch)).toEqual(common(now))
    expect(batch.cost).toMatchObject({ lane: 'batch', usd: now.cost.usd / 2 })
    expect(batch.attempts).toMatchObject([{ batch: expect.stringMatching(/^darkroom-/) }])
    const nameOf = (key: string) => key.split('/').at(-1)
    expect((await darkroom.keys('jobs/thread.batch/')).map(nameOf)).toEqual(
      (await darkroom.keys('jobs/thread.now/')).map(nameOf),
    )
    await until('the batch is filed away', async () => (await darkroom.keys('batches/live/')).length === 0)
  })

  it('comes back when the webhook calls, and a stranger’s call gets 401', async () => {
    const url = darkroom.stack.functionUrls.webhook ?? ''
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401)
    darkroom.gemini.webhooks.add('darkroom', url, undefined, SECRET)
    await darkroom.send({ id: 'called', operation: 'generate', prompt: 'a lake', lane: 'batch' })
    await isParked('called')
    await tick()
    await darkroom.gemini.batches.finish()
    expect((await darkroom.result('jobs/called/')).status).toBe('done')
    expect(darkroom.gemini.webhooks.statuses).toContain(200)
  })

  it('has one batch when its submit is killed between Google’s creation and our knowing', async () => {
    const before = darkroom.gemini.batches.all().length
    darkroom.gemini.batches.order({ create: 'hang' })
    await darkroom.send({ id: 'killed', operation: 'generate', prompt: 'a lake', lane: 'batch' })
    await isParked('killed')
    const submitting = tick()
    await until('Google has made the batch', () => darkroom.gemini.batches.all().length > before)
    darkroom.stack.lambda.kill('batch-submit')
    await submitting
    // The lease of 15 minutes passes, then the clock brings the next submit by itself.
    await until(
      'it is found',
      async () => {
        await darkroom.gemini.batches.finish()
        return (await darkroom.row('killed'))?.status === 'done'
      },
      60_000,
    )
    expect(darkroom.gemini.batches.all()).toHaveLength(before + 1)
  }, 90_000)
})
