import { ThinkingLevel } from '@google/genai/web'
import { beforeAll, describe, expect, it } from 'vitest'
import { startGemini } from '../../infra/local/gemini/server.ts'
import { DEFAULT_MODEL, MODELS } from '../../lib/models.ts'
import { askRaw } from '../helpers/raw-request.ts'
import { bodyOf, clientOf, imageOf, inline, jsonOf, photoOf, refusal, useGemini, user } from './gemini-client.ts'

const own = useGemini()
let flower: Buffer
beforeAll(async () => {
  flower = await photoOf('allium-oreophilum')
})

describe('usage', () => {
  it.each([
    [DEFAULT_MODEL, '1K', 1120],
    [DEFAULT_MODEL, '2K', 1680],
    ['gemini-3.1-flash-image', '512', 747],
    ['gemini-3-pro-image', '1K', 1120],
  ])('of %s at %s counts %i tokens for the image, and adds up', async (model, imageSize, tokens) => {
    const { usageMetadata: usage } = await own.ask(
      [inline(flower), { text: 'make it warm' }],
      { imageConfig: { imageSize } },
      model,
    )
    expect(usage?.candidatesTokensDetails).toEqual([{ modality: 'IMAGE', tokenCount: tokens }])
    const prompt = usage?.promptTokensDetails?.reduce((sum, { tokenCount = 0 }) => sum + tokenCount, 0)
    expect(usage?.promptTokenCount).toBe(prompt)
    expect(usage?.promptTokensDetails).toContainEqual({
      modality: 'IMAGE',
      tokenCount: MODELS[model]?.inputImageTokens,
    })
    const { promptTokenCount = 0, candidatesTokenCount = 0, thoughtsTokenCount = 0 } = usage ?? {}
    expect(thoughtsTokenCount).toBeGreaterThan(0)
    expect(usage?.totalTokenCount).toBe(promptTokenCount + candidatesTokenCount + thoughtsTokenCount)
  })

  it('rises with the thinking level', async () => {
    const thoughts = async (thinkingLevel: ThinkingLevel) =>
      (await own.ask('a hat', { thinkingConfig: { thinkingLevel } })).usageMetadata?.thoughtsTokenCount ?? 0
    expect(await thoughts(ThinkingLevel.HIGH)).toBeGreaterThan(await thoughts(ThinkingLevel.MINIMAL))
  })

  it('can be asked for before', async () => {
    const { totalTokens } = await own.ai.models.countTokens({
      model: DEFAULT_MODEL,
      contents: [user(inline(flower), { text: 'warm' })],
    })
    expect(totalTokens).toBe(1121)
  })
})

describe('grounding', () => {
  it('adds queries, sources and Google’s chip', async () => {
    const tools = [{ googleSearch: { searchTypes: { webSearch: {}, imageSearch: {} } } }]
    const grounding = (await own.ask('the weather in Bern', { tools })).candidates?.[0]?.groundingMetadata
    expect(grounding?.webSearchQueries).toEqual(['the weather in Bern'])
    expect(grounding?.imageSearchQueries).toHaveLength(1)
    expect(grounding?.searchEntryPoint?.renderedContent).toContain('<a ')
    expect(grounding?.groundingChunks?.map(chunk => Object.keys(chunk)[0])).toEqual(['web', 'web', 'image'])
    expect(grounding?.groundingSupports?.[0]?.groundingChunkIndices).toEqual([0, 1, 2])
  })

  it('is refused by models that can’t search', async () => {
    const tools = [{ googleSearch: {} }]
    expect((await refusal(own.ask('a hat', { tools }, 'gemini-3.1-flash-lite-image'))).status).toBe(400)
    expect(
      (
        await refusal(
          own.ask('a hat', { tools: [{ googleSearch: { searchTypes: { imageSearch: {} } } }] }, 'gemini-3-pro-image'),
        )
      ).status,
    ).toBe(400)
  })
})

describe('a text model', () => {
  it('answers in words', async () => {
    const reply = await own.ask('the weather in Bern', {}, 'gemini-3.5-flash')
    expect(reply.text).toContain('the weather in Bern')
    expect(reply.modelVersion).toBe('gemini-3.5-flash')
  })

  it('answers JSON of the schema', async () => {
    const day = {
      type: 'object',
      properties: {
        date: { type: 'string', format: 'date' },
        high: { type: 'integer', minimum: 5, maximum: 9 },
        sky: { enum: ['clear', 'rain'] },
      },
    }
    const schema = {
      type: 'object',
      properties: { days: { type: 'array', minItems: 5, maxItems: 5, items: { $ref: '#/$defs/day' } } },
      required: ['days'],
      $defs: { day },
    }
    const reply = await own.ask(
      'the weather in Bern',
      { responseMimeType: 'application/json', responseJsonSchema: schema },
      'gemini-3.5-flash',
    )
    const { days } = JSON.parse(reply.text ?? '')
    expect(days).toHaveLength(5)
    for (const { date, high, sky } of days) {
      expect(date).toMatch(/^\d{4}-\d\d-\d\d$/)
      expect(high >= 5 && high <= 9 && Number.isInteger(high)).toBe(true)
      expect(['clear', 'rain']).toContain(sky)
    }
  })
})

describe('the record', () => {
  it('tells each call, and how many ran at once for one prompt', async () => {
    await using other = await startGemini()
    const client = clientOf(other)
    const call = (contents: string) => client.models.generateContent({ model: 'gemini-3.5-flash', contents })
    await call('alone')
    await call('alone')
    await Promise.all([call('twin'), call('twin'), call('other')])
    expect(other.calls).toHaveLength(5)
    expect(other.calls[0]).toMatchObject({
      model: 'gemini-3.5-flash',
      prompt: 'alone',
      images: 0,
      outcome: 'answered',
      delivered: true,
    })
    expect([other.mostInFlight('alone'), other.mostInFlight('never')]).toEqual([1, 0])
    expect(other.inFlight()).toBe(0)
  })

  it('counts twins that wait together', async () => {
    own.gemini.control.fail({ fault: 'hang' })
    const giveUp = new AbortController()
    const twins = [1, 2].map(() => own.ask('twins', { abortSignal: giveUp.signal }).catch(() => 'gone'))
    await expect.poll(() => own.gemini.mostInFlight('twins'), { interval: 5 }).toBe(2)
    giveUp.abort()
    expect(await Promise.all(twins)).toEqual(['gone', 'gone'])
    await expect.poll(() => own.gemini.inFlight(), { interval: 5 }).toBe(0)
  })

  it('and the faults can be reached from another process', async () => {
    await using other = await startGemini()
    const control = (path: string, body?: unknown) =>
      fetch(`${other.baseUrl}/control/${path}`, body ? { method: 'POST', body: JSON.stringify(body) } : {})
    await control('faults', [{ fault: 'unavailable', times: 1 }, { reply: 'NO_IMAGE' }])
    const call = () => clientOf(other).models.generateContent({ model: DEFAULT_MODEL, contents: 'a hat' })
    expect((await refusal(call())).status).toBe(503)
    expect((await call()).candidates?.[0]?.finishReason).toBe('NO_IMAGE')
    expect((await jsonOf(await control('calls'))).calls).toMatchObject([
      { outcome: 'unavailable' },
      { outcome: 'NO_IMAGE' },
    ])
    expect((await control('faults', { fault: 'gremlin' })).status).toBe(400)
    await control('reset', {})
    expect(other.calls).toHaveLength(0)
    expect(imageOf(await call()).length).toBeGreaterThan(0)
  })
})

describe('the limit', () => {
  it('refuses what is over it, and the wait that it names is long enough and no longer', async () => {
    let at = 0
    await using limited = await startGemini({ requestsPerMinute: 2, now: () => at })
    const call = () => clientOf(limited).models.generateContent({ model: 'gemini-3.5-flash', contents: 'hello' })
    await call()
    at = 20_000
    await call()
    at = 25_000
    const { details } = bodyOf(await refusal(call()))
    expect(details.at(-1).retryDelay).toBe('35s')
    at = 59_999
    await refusal(call())
    at = 60_000
    await call()
  })
})

it('the models that are served can be listed', async () => {
  const response = await fetch(`${own.gemini.baseUrl}/v1beta/models?key=stand-in`)
  const names = (await jsonOf(response)).models.map((model: { name: string }) => model.name)
  expect(names).toContain(`models/${DEFAULT_MODEL}`)
  expect(names).not.toContain('models/imagen-4.0-generate-001')
})

it.each(['//', 'http://[', '/v1beta/%'])(
  'the address %s is none of Google’s, and the next one is answered',
  async address => {
    const answer = await askRaw(own.gemini.baseUrl, address)
    expect(answer).toMatch(/^HTTP\/1.1 404 /)
    expect(answer).toContain('Requested entity was not found.')
  },
)
