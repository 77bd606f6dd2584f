import { PutObjectCommand } from '@aws-sdk/client-s3'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Job, OPERATIONS, type Operation } from '../../lib/job.ts'
import {
  ASPECT_RATIOS,
  expectedPixels,
  IMAGE_SIZES,
  liveModels,
  MODELS,
  type Model,
  THINKING_LEVELS,
} from '../../lib/models.ts'
import { PROMPTS, type PromptRow } from '../../lib/prompts.ts'
import type { Result } from '../../lib/result.ts'
import { type Bench, openDarkroom, TODAY } from '../helpers/darkroom.ts'

const live = liveModels(MODELS, TODAY)
const retired = Object.keys(MODELS).filter(id => !live.includes(id))
const modelOf = (id: string) => MODELS[id] as Model

/** Of nobody’s catalogue but the settings’. */
const TOMORROW = 'gemini-tomorrow-image'
const tomorrow: Model = {
  ...modelOf('gemini-3.1-flash-image'),
  nickname: 'Tomorrow',
  alias: 'tomorrow',
  deprecated: undefined,
  successor: undefined,
}

describe('Google’s guide through the stack', () => {
  let darkroom: Bench
  let input: (n: number) => string
  beforeAll(async () => {
    darkroom = await openDarkroom({ clockFactor: 10, models: { ...MODELS, [TOMORROW]: tomorrow } })
    const { stack, env } = darkroom
    input = n => `s3://${env.RECIPES_BUCKET}/inputs/${n}.png`
    for (const n of [1, 2]) {
      const background = { r: 40 * n, g: 90, b: 160 }
      const Body = await sharp({ create: { width: 64, height: 48, channels: 3, background } })
        .png()
        .toBuffer()
      await stack.s3.send(new PutObjectCommand({ Bucket: env.RECIPES_BUCKET, Key: `inputs/${n}.png`, Body }))
    }
    await darkroom.putRecipe('settings', {
      models: { [TOMORROW]: tomorrow, 'gemini-3-pro-image': { alias: 'house-model' } },
    })
  })
  afterAll(() => darkroom[Symbol.asyncDispose]())

  const callsOf = (model: string) => darkroom.gemini.calls.filter(call => call.model === model)

  /** The least that an operation asks of a model. */
  function smallest(operation: Operation, id: string): object {
    const { slots, inputs, looksUp }: PromptRow = PROMPTS[operation]
    const { sizes, grounding } = modelOf(id)
    const free = Object.keys(slots).length === 0
    const needed = Object.entries(slots).filter(([, slot]) => slot.required)
    const filled = needed.map(([slot]) => [slot, `the ${slot} of ${operation} on ${id}`])
    if (looksUp && !grounding.includes('web')) filled.push([looksUp.slot, 'sun, 21 °C'])
    return {
      operation,
      model: id,
      ...(free ? { prompt: `a cup: ${operation} on ${id}` } : { slots: Object.fromEntries(filled) }),
      inputs: Array.from({ length: inputs.least }, (_, n) => input(n + 1)),
      ...(sizes[0] && { imageConfig: { imageSize: sizes[0] } }),
    }
  }

  it.each(live)('runs every operation on %s, at one call each', async id => {
    const prefix = `guide/${id}`
    for (const operation of OPERATIONS)
      await darkroom.send({ ...smallest(operation, id), prefix: `${prefix}/${operation}` })
    const results = await darkroom.results(`${prefix}/`, OPERATIONS.length)
    const { sizes, deprecated } = modelOf(id)
    for (const result of results) {
      const { job, images } = result
      const ratio = job.inputs?.length ? '4:3' : '1:1'
      const [width, height] = expectedPixels(modelOf(id), ratio, sizes[0]) ?? []
      expect({ operation: job.operation, ...result }).toMatchObject({
        status: 'done',
        model: { requested: id, used: id, version: id },
        images: [{ width, height, mimeType: modelOf(id).mimeType }],
        attempts: [{ outcome: 'reply' }],
        warnings: deprecated ? [expect.stringContaining('is deprecated')] : [],
      })
      expect(images[0]?.key).toMatch(new RegExp(`^${prefix}/${job.operation}/`))
      expect(result.cost.usd).toBeGreaterThan(0)
    }
    expect(new Set(results.map(({ job }) => job.operation)).size).toBe(OPERATIONS.length)
    expect(callsOf(id).filter(({ outcome }) => outcome === 'answered')).toHaveLength(OPERATIONS.length)
  })

  /** Every wish that a model refuses, by the catalogue alone: what to ask for, and what the answer has to name. */
  function refusalsOf(id: string): [wish: Partial<Job> | object, named: string][] {
    const { sizes, ratios, thinkingLevels, grounding, thinks, references } = modelOf(id)
    const first = <T extends string>(all: readonly T[], taken: readonly T[]) => all.find(each => !taken.includes(each))
    const listed = (taken: readonly string[]) =>
      taken.length > 0 ? `is not one of ${taken.join(', ')}` : `can't be chosen`
    const size = first(IMAGE_SIZES, sizes)
    const ratio = first(ASPECT_RATIOS, ratios)
    const level = first(THINKING_LEVELS, thinkingLevels)
    const many = (count: number, role?: string) => ({
      inputs: Array.from({ length: count }, () => ({ uri: input(1), role })),
    })
    return [
      ...(size ? [[{ imageConfig: { imageSize: size } }, listed(sizes)] as [object, string]] : []),
      ...(ratio ? [[{ imageConfig: { aspectRatio: ratio } }, listed(ratios)] as [object, string]] : []),
      ...(level ? [[{ thinkingConfig: { thinkingLevel: level } }, listed(thinkingLevels)] as [object, string]] : []),
      ...(thinks ? [] : [[{ thinkingConfig: { includeThoughts: true } }, 'no thoughts'] as [object, string]]),
      ...(grounding.includes('web') ? [] : [[{ grounding: { web: true } }, listed(grounding)] as [object, string]]),
      ...(grounding.includes('images')
        ? []
        : [[{ grounding: { images: true } }, listed(grounding)] as [object, string]]),
      [many(references.most + 1), 'at most 14 inputs'],
      ...(references.object
        ? [[many(references.object + 1, 'object'), `it takes ${references.object}`] as [object, string]]
        : []),
      ...(references.character
        ? [[many(references.character + 1, 'character'), `it takes ${references.character}`] as [object, string]]
        : []),
    ]
  }

  it.each(live)('refuses what %s does not take before a cent is spent, and names what it takes', async id => {
    const before = callsOf(id).length
    const refusals = refusalsOf(id)
    const at = (n: number) => `refused/${id}/${String(n).padStart(2, '0')}`
    for (const [n, [wish]] of refusals.entries())
      await darkroom.send({ operation: 'edit', prompt: 'x', model: id, inputs: [input(1)], prefix: at(n), ...wish })
    await darkroom.results(`refused/${id}/`, refusals.length)
    for (const [n, [wish, named]] of refusals.entries()) {
      const { status, error, cost } = await darkroom.result(at(n))
      expect({ wish, status, ...error }).toMatchObject({
        status: 'failed',
        code: 'inputs' in wish ? 'ERR_JOB_INPUTS' : 'ERR_MODEL_OPTION',
        remedy: 'change',
        message: expect.stringContaining(named),
      })
      expect(cost.usd).toBe(0)
    }
    expect(callsOf(id)).toHaveLength(before)
  })

  it('runs a retired model on its successor, and says so', async () => {
    for (const id of retired)
      await darkroom.send({ operation: 'generate', prompt: `from ${id}`, model: id, prefix: `retired/${id}` })
    for (const id of retired) {
      const { status, model, warnings }: Result = await darkroom.result(`retired/${id}/`)
      const { successor, shutdown } = modelOf(id)
      expect({ id, status, model }).toEqual({
        id,
        status: 'done',
        model: { requested: id, used: successor, version: successor },
      })
      expect(warnings[0]).toBe(`model ${id} was shut down on ${shutdown}: ${successor} ran instead`)
      expect(callsOf(id)).toEqual([])
    }
  })

  it('answers a 404 on a live model the same way, once', async () => {
    darkroom.gemini.control.fail({
      fault: 'not-found',
      match: { model: 'gemini-3.1-flash-image', promptIncludes: 'suddenly' },
    })
    await darkroom.send({ operation: 'generate', prompt: 'gone suddenly', model: 'nano-banana-2', prefix: 'gone' })
    const result = await darkroom.result('gone/')
    darkroom.gemini.control.clear()
    expect(result).toMatchObject({
      status: 'done',
      model: { requested: 'nano-banana-2', used: 'gemini-nano-banana-2.1' },
      attempts: [{ outcome: 'ERR_MODEL_GONE' }, { outcome: 'reply' }],
    })
    expect(result.warnings).toContain(
      'model gemini-3.1-flash-image is no longer served: gemini-nano-banana-2.1 ran instead',
    )
  })

  it('takes tomorrow’s model from settings.json, and another name for today’s', async () => {
    await darkroom.send({
      operation: 'generate',
      prompt: 'x',
      model: 'tomorrow',
      imageConfig: { imageSize: '512' },
      prefix: 'tomorrow',
    })
    await darkroom.send({ operation: 'generate', prompt: 'x', model: 'house-model', prefix: 'house' })
    expect(await darkroom.result('tomorrow/')).toMatchObject({
      status: 'done',
      model: { used: TOMORROW },
      warnings: [],
    })
    expect(await darkroom.result('house/')).toMatchObject({ status: 'done', model: { used: 'gemini-3-pro-image' } })
  })
})
