import { describe, expect, test } from 'vitest'
import { DEFAULT_SETTINGS, readSettings } from '../lib/config.ts'
import { parseJob } from '../lib/job.ts'
import { MODELS, succeed } from '../lib/models.ts'
import { answeringModel, makePlan, replan, settleRatio } from '../lib/plan.ts'

const today = '2026-11-21'
const job = (fields: object = {}) => parseJob({ operation: 'generate', prompt: 'a cup', ...fields })

test('a job that names no model runs on the newest, without a warning', () => {
  expect(makePlan(job(), DEFAULT_SETTINGS, today)).toMatchObject({
    prompt: 'a cup',
    requested: 'gemini-nano-banana-2.1',
    modelId: 'gemini-nano-banana-2.1',
    warnings: [],
  })
})

test('the settings’ model is used where the job names none, the job’s where it does', () => {
  const settings = readSettings({ defaultModel: 'nano-banana-pro' })
  expect(makePlan(job(), settings, today).modelId).toBe('gemini-3-pro-image')
  expect(makePlan(job({ model: 'nano-banana-2' }), settings, today).modelId).toBe('gemini-3.1-flash-image')
})

test('a retired model is replaced and the result will say so', () => {
  const plan = makePlan(job({ model: 'imagen-4.0-ultra-generate-001' }), DEFAULT_SETTINGS, today)
  expect(plan).toMatchObject({ requested: 'imagen-4.0-ultra-generate-001', modelId: 'gemini-3-pro-image' })
  expect(plan.warnings).toEqual([
    'model imagen-4.0-ultra-generate-001 was shut down on 2026-08-17: gemini-3-pro-image ran instead',
  ])
})

test('warnings of the model and of its limits stand side by side', () => {
  const inputs = ['s3://photos/1', 's3://photos/2', 's3://photos/3', 's3://photos/4']
  const { warnings } = makePlan(job({ model: 'nano-banana', inputs }), DEFAULT_SETTINGS, today)
  expect(warnings).toEqual([
    expect.stringContaining('is deprecated since'),
    expect.stringContaining('works best with up to 3 inputs'),
  ])
})

describe('refused before a byte is read or a cent is spent', () => {
  test.each<[string, object, string]>([
    ['a missing slot', { operation: 'inpaint', prompt: undefined, slots: {} }, 'ERR_JOB_SLOTS'],
    ['an edit without a picture', { operation: 'edit' }, 'ERR_JOB_INPUTS'],
    ['a size that the model lacks', { imageConfig: { imageSize: '512' } }, 'ERR_MODEL_OPTION'],
    ['a session in a batch', { session: 'kitchen', lane: 'batch' }, 'ERR_JOB_SESSION_BATCH'],
    ['a search that the model lacks', { model: 'nano-banana', grounding: { web: true } }, 'ERR_MODEL_OPTION'],
  ])('%s', (_, fields, code) => {
    expect(() => makePlan(job(fields), DEFAULT_SETTINGS, today)).toThrow(expect.objectContaining({ code }))
  })
})

describe('when Google no longer finds the model', () => {
  const plan = makePlan(job({ model: 'gemini-3.1-flash-image' }), DEFAULT_SETTINGS, today)

  test('the same job goes to the successor, and keeps what was asked for', () => {
    const next = replan(plan, succeed(plan.modelId, plan.model, MODELS, today))
    expect(next).toMatchObject({
      requested: 'gemini-3.1-flash-image',
      modelId: 'gemini-nano-banana-2.1',
      job: plan.job,
    })
    expect(next.warnings.at(-1)).toContain('is no longer served: gemini-nano-banana-2.1 ran instead')
  })

  test('unless the successor does not take what the job wants', () => {
    const wants512 = job({ model: 'gemini-3.1-flash-image', imageConfig: { imageSize: '512' } })
    const { modelId, model, ...rest } = makePlan(wants512, DEFAULT_SETTINGS, today)
    expect(() => replan({ modelId, model, ...rest }, succeed(modelId, model, MODELS, today))).toThrow(
      expect.objectContaining({ code: 'ERR_MODEL_OPTION' }),
    )
  })
})

describe('an edit that names no ratio keeps its photo’s, as it is shown', () => {
  const photo = (width: number, height: number) => ({
    uri: 's3://photos/a.jpg',
    etag: 'abc',
    sha256: '00',
    mimeType: 'image/jpeg' as const,
    width,
    height,
  })
  const edit = (fields: object = {}) =>
    makePlan(job({ operation: 'edit', inputs: ['s3://photos/a.jpg'], ...fields }), DEFAULT_SETTINGS, today)

  test.each([
    [4032, 3024, '4:3'],
    [3024, 4032, '3:4'],
    [1080, 1920, '9:16'],
    [1000, 1001, '1:1'],
  ])('%d×%d: %s', (width, height, ratio) => {
    expect(settleRatio(edit(), [photo(width, height), photo(1, 9)]).job.imageConfig).toEqual({ aspectRatio: ratio })
  })

  test('beside the size that it names', () => {
    const plan = settleRatio(edit({ imageConfig: { imageSize: '4K' } }), [photo(400, 300)])
    expect(plan.job.imageConfig).toEqual({ imageSize: '4K', aspectRatio: '4:3' })
  })

  test('but not where it names one, where it makes something new, or where there is no photo', () => {
    const named = edit({ imageConfig: { aspectRatio: '1:1' } })
    const made = edit({ operation: 'generate' })
    expect(settleRatio(named, [photo(400, 300)])).toBe(named)
    expect(settleRatio(made, [photo(400, 300)])).toBe(made)
    expect(settleRatio(edit(), []).job.imageConfig).toBeUndefined()
  })
})

describe('the price is that of the model that answered', () => {
  const plan = makePlan(job({ model: 'gemini-nano-banana-2.1' }), DEFAULT_SETTINGS, today)
  test.each([
    ['gemini-3-pro-image', 120],
    [undefined, 30],
    ['gemini-nano-banana-2.1-0042', 30],
    ['constructor', 30],
  ])('%s: $%d a million', (version, usd) => {
    expect(answeringModel(plan, MODELS, version).prices.image).toBe(usd)
  })
})
