import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Result } from '../../lib/result.ts'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'

const textModel = { id: 'gemini-words-flash', prices: { input: 0.3, text: 2.5, asOf: '2026-11-01' } }

describe('words first', () => {
  let darkroom: Bench
  beforeAll(async () => {
    darkroom = await openDarkroom({ clockFactor: 30 })
    await darkroom.putRecipe('settings', { textModel })
  })
  afterAll(() => darkroom[Symbol.asyncDispose]())

  const logo = (brand: string, fields: object = {}) => ({
    operation: 'logo',
    slots: { brand },
    prefix: brand,
    ...fields,
  })
  const callsFor = (words: string) => darkroom.gemini.calls.filter(({ prompt }) => prompt.includes(words))
  const modelsFor = (words: string) => callsFor(words).map(({ model }) => model)
  const asked = ({ attempts }: Result) => attempts.map(({ asks, outcome }) => `${asks ?? 'picture'}: ${outcome}`)

  /** By the settings' prices, from the usage in the reply that was kept first. */
  async function priceOfWords(folder: string): Promise<number> {
    const reply = JSON.parse((await darkroom.fetch(`${folder}/response-1.json`)).bytes.toString())
    const { promptTokenCount, candidatesTokenCount, thoughtsTokenCount } = reply.usageMetadata
    return (promptTokenCount * 0.3 + (candidatesTokenCount + thoughtsTokenCount) * 2.5) / 1e6
  }

  it('asks a text model for a logo’s words, and draws exactly those', async () => {
    await darkroom.send(logo('bakery'))
    const result = await darkroom.result('bakery/')
    const text = result.job.slots?.text ?? ''
    expect(result).toMatchObject({ status: 'done', model: { used: 'gemini-nano-banana-2.1' }, warnings: [] })
    expect(text).not.toBe('')
    expect(result.job.prompt).toContain(`exactly this text, letter for letter: “${text}”`)
    expect(modelsFor('bakery')).toEqual(['gemini-words-flash', 'gemini-nano-banana-2.1'])
    expect(asked(result)).toEqual(['words: reply', 'picture: reply'])
    expect(result.attempts.map(({ model }) => model)).toEqual(['gemini-words-flash', 'gemini-nano-banana-2.1'])
  })

  it('are written for a turn of a session, too, and only its pictures go on', async () => {
    const turn = (id: string, fields: object) => darkroom.send({ id, session: 'brand', prefix: 'brand', ...fields })
    await turn('brand-1', logo('tailor', { prefix: 'brand' }))
    const first = await darkroom.result('brand/brand-1/')
    expect(asked(first)).toEqual(['words: reply', 'picture: reply'])
    await turn('brand-2', logo('cutter', { prefix: 'brand' }))
    const second = await darkroom.result('brand/brand-2/')
    expect(second).toMatchObject({
      status: 'done',
      session: { name: 'brand', turn: 2, continuesFrom: 'brand-1' },
      warnings: [],
    })
    expect(callsFor('cutter').map(({ model, images }) => [model, images])).toEqual([
      ['gemini-words-flash', 0],
      ['gemini-nano-banana-2.1', 1],
    ])
  })

  it('keeps both replies, and the bill is the sum of both', async () => {
    const { job, attempts, cost } = await darkroom.result('bakery/')
    const names = (await darkroom.keys(`bakery/${job.id}/`)).map(key => key.split('/').at(-1))
    expect(names).toEqual(['image-1.jpg', 'response-1.json', 'response-2.json', 'result.json', 'text.md'])
    const [words = 0, picture = 0] = attempts.map(({ usd }) => usd)
    expect(words).toBeGreaterThan(0)
    expect(picture).toBeGreaterThan(0.0336)
    expect(cost.usd).toBeCloseTo(words + picture, 6)
    expect(words).toBeCloseTo(await priceOfWords(`bakery/${job.id}`), 6)
  })

  it('leaves words that the job brings as they are', async () => {
    await darkroom.send({ operation: 'logo', slots: { brand: 'florist', text: 'FLEUR' }, prefix: 'florist' })
    expect(asked(await darkroom.result('florist/'))).toEqual(['picture: reply'])
  })

  it('looks a forecast up once, for the words, and shows its sources beside the picture', async () => {
    await darkroom.send({ operation: 'weather', slots: { place: 'Oslo' }, prefix: 'oslo', publishAs: 'oslo' })
    const result = await darkroom.result('oslo/')
    expect(result).toMatchObject({ status: 'done', cost: { searches: { webQueries: 1 } }, warnings: [] })
    expect(JSON.parse(result.job.slots?.facts ?? '')).toMatchObject({ days: [{ high: expect.any(Number) }, {}, {}] })
    expect(result.grounding?.sources).toHaveLength(2)
    const page = await darkroom.fetch(`oslo/${result.job.id}/attribution.html`)
    expect(page.bytes.toString()).toContain('<img src="image-1.jpg"')
    expect(JSON.parse((await darkroom.fetch('oslo/latest.json')).bytes.toString()).id).toBe(result.job.id)
  })

  it('draws nothing from a forecast that was looked up in vain, twice', async () => {
    darkroom.gemini.control.reply({ reply: 'ungrounded', match: { promptIncludes: 'Atlantis' } })
    await darkroom.send({ operation: 'weather', slots: { place: 'Atlantis' }, prefix: 'atlantis' })
    const result = await darkroom.result('atlantis/')
    expect(result).toMatchObject({ status: 'failed', error: { code: 'ERR_REPLY_UNGROUNDED' }, images: [] })
    expect(asked(result)).toEqual(['words: reply', 'words: reply'])
    expect(result.cost.usd).toBeGreaterThan(0)
  })

  it('asks once more where the words come in no form, and gives up after that', async () => {
    const { control } = darkroom.gemini
    control.reply({ reply: 'text-only', times: 1, match: { promptIncludes: 'chatty' } })
    control.reply({ reply: 'text-only', match: { promptIncludes: 'talkative' } })
    await darkroom.send(logo('chatty'))
    await darkroom.send(logo('talkative'))
    expect(asked(await darkroom.result('chatty/'))).toEqual(['words: reply', 'words: reply', 'picture: reply'])
    expect(await darkroom.result('talkative/')).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_REPLY_WORDS' },
      text: "I'd rather chat about it.",
      attempts: [{ asks: 'words' }, { asks: 'words' }],
    })
  })

  it('pays for words once, however long the picture takes', async () => {
    const { control } = darkroom.gemini
    control.fail({ fault: 'unavailable', match: { model: 'gemini-nano-banana-2.1', promptIncludes: 'patient' } })
    await darkroom.send(logo('patient', { id: 'patient' }))
    await until('the picture waits', async () => (await darkroom.row('patient'))?.status === 'waiting')
    control.clear()
    const result = await darkroom.result('patient/')
    expect(result.status).toBe('done')
    expect(modelsFor('patient').filter(model => model === textModel.id)).toHaveLength(1)
    expect(asked(result).filter(line => line.endsWith(': reply'))).toEqual(['words: reply', 'picture: reply'])
    expect(result.attempts[0]?.usd).toBeCloseTo(await priceOfWords('patient/patient'), 6)
    expect(result.cost.usd).toBeCloseTo(
      result.attempts.reduce((sum, { usd = 0 }) => sum + usd, 0),
      6,
    )
  })

  it('asks nobody for words of a picture that would be refused', async () => {
    await darkroom.send(logo('minuscule', { imageConfig: { imageSize: '512' } }))
    expect(await darkroom.result('minuscule/')).toMatchObject({ status: 'failed', error: { code: 'ERR_MODEL_OPTION' } })
    expect(callsFor('minuscule')).toEqual([])
  })
})
