import { ApiError } from '@google/genai/web'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { FAULTS, type FaultName } from '../../infra/local/gemini/faults.ts'
import { REPLIES, type ReplyName } from '../../infra/local/gemini/replies.ts'
import { bodyOf, bytesOf, HELLO, imageOf, jsonOf, partsOf, type Reply, refusal, useGemini } from './gemini-client.ts'

const own = useGemini()

describe('a fault', () => {
  const STATUSES: Partial<Record<FaultName, number>> = {
    rate: 429,
    'rate-text': 429,
    'rate-header': 429,
    'rate-bare': 429,
    'quota-day': 429,
    'quota-zero': 429,
    'key-invalid': 400,
    unauthorized: 401,
    forbidden: 403,
    billing: 400,
    invalid: 400,
    'not-found': 404,
    'timeout-408': 408,
    internal: 500,
    'bad-gateway': 502,
    unavailable: 503,
    'gateway-timeout': 504,
  }
  it.each(Object.entries(STATUSES) as [FaultName, number][])('%s is answered with %i, once', async (fault, status) => {
    own.gemini.control.fail({ fault, times: 1 })
    expect((await refusal(own.ask('a hat'))).status).toBe(status)
    expect(imageOf(await own.ask('a hat')).length).toBeGreaterThan(0)
  })

  it.each(['cut', 'reset', 'not-json', 'empty'] as const)('%s leaves the client without a reply', async fault => {
    own.gemini.control.fail({ fault })
    const error = await own.ask('a hat').catch(error => error)
    expect(error).toBeInstanceOf(Error)
    expect(error).not.toBeInstanceOf(ApiError)
    expect(own.gemini.calls.at(-1)?.outcome).toBe(fault)
  })

  it('a cut reply is booked as cut, also where the reply was a forced one', async () => {
    own.gemini.control.fail({ fault: 'cut' })
    own.gemini.control.reply({ reply: 'tiny-image' })
    await own.ask('a hat').catch(error => error)
    expect(own.gemini.calls.at(-1)).toMatchObject({ outcome: 'cut', clientWent: false, delivered: false })
  })

  it('hang lasts until the client goes', async () => {
    own.gemini.control.fail({ fault: 'hang' })
    const giveUp = new AbortController()
    const call = own.ask('a hat', { abortSignal: giveUp.signal }).catch(error => error)
    await expect.poll(() => own.gemini.inFlight(), { interval: 5 }).toBe(1)
    giveUp.abort()
    expect(await call).toBeInstanceOf(Error)
    await expect
      .poll(() => own.gemini.calls.at(-1), { interval: 5 })
      .toMatchObject({ outcome: 'hang', clientWent: true, delivered: false, endedAt: own.nowMs })
  })

  it('slow passes time on the stand-in’s clock', async () => {
    own.gemini.control.slow({ ms: 90_000 })
    const before = own.nowMs
    await own.ask('a hat')
    expect(own.nowMs - before).toBe(90_000)
  })

  it('holds the calls that match until they are released, and no others', async () => {
    const release = own.gemini.control.hold({ promptIncludes: 'storm' })
    let isAnswered = false
    const held = own.ask('a storm').then(() => {
      isAnswered = true
    })
    await expect.poll(() => own.gemini.inFlight(), { interval: 5 }).toBe(1)
    await own.ask('a calm sea')
    expect(isAnswered).toBe(false)
    release()
    await held
    expect(own.gemini.calls.map(({ outcome }) => outcome).slice(-2)).toEqual(['answered', 'answered'])
  })

  it('rate names its wait in RetryInfo and in the text', async () => {
    own.gemini.control.fail({ fault: 'rate', delayMs: 47_880 })
    const { message, details } = bodyOf(await refusal(own.ask('a hat')))
    expect(message).toContain('Please retry in 47.88s.')
    expect(details).toContainEqual({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '47s' })
  })

  it('rate-header names its wait in Retry-After alone', async () => {
    own.gemini.control.fail({ fault: 'rate-header', delayMs: 7000 })
    const response = await own.post(HELLO)
    expect(response.headers.get('retry-after')).toBe('7')
    expect(await response.text()).not.toMatch(/retry in|RetryInfo/)
  })

  it.each([
    ['quota-day', /PerDay/, '250'],
    ['quota-zero', /PerDay/, '0'],
  ] as const)('%s names its quota', async (fault, quotaId, quotaValue) => {
    own.gemini.control.fail({ fault })
    const { details } = bodyOf(await refusal(own.ask('a hat')))
    const quota = details.find((detail: { violations?: unknown }) => detail.violations)
    expect(quota.violations[0]).toMatchObject({ quotaId: expect.stringMatching(quotaId), quotaValue })
  })

  it('strikes only the calls that match', async () => {
    own.gemini.control.fail({ fault: 'unavailable', match: { promptIncludes: 'storm' } })
    await own.ask('a calm sea')
    expect((await refusal(own.ask('a storm'))).status).toBe(503)
  })

  it('strikes a share of the calls, the same for the same seed', async () => {
    const strikes = async () => {
      own.gemini.control.clear()
      own.gemini.control.fail({ fault: 'unavailable', share: 0.4, seed: 7 })
      const calls = Array.from({ length: 20 }, () =>
        own.ask('a hat', {}, 'gemini-3.5-flash').then(
          () => 0,
          () => 1,
        ),
      )
      return (await Promise.all(calls)).reduce((sum: number, struck) => sum + struck, 0)
    }
    const first = await strikes()
    expect(first).toBeGreaterThan(2)
    expect(first).toBeLessThan(14)
    expect(await strikes()).toBe(first)
  })

  it('that nobody knows is refused by name', () => {
    expect(() => own.gemini.control.fail({ fault: 'gremlin' as FaultName })).toThrow(/fault/)
    expect(Object.keys(FAULTS)).toHaveLength(23)
  })
})

describe('a forced reply', () => {
  const shape = (reply: Reply) => ({
    finish: reply.candidates?.[0]?.finishReason,
    block: reply.promptFeedback?.blockReason,
    parts: partsOf(reply).map(part => (part.thought ? 'thought ' : '') + (part.text ? 'text' : 'image')),
  })
  const stop = (...parts: string[]) => ({ finish: 'STOP', block: undefined, parts })
  const EXPECTED: Partial<Record<ReplyName, object>> = {
    'no-candidates': { finish: undefined, block: undefined, parts: [] },
    'empty-content': stop(),
    'text-only': stop('text'),
    'several-images': stop('image', 'image'),
    'several-candidates': stop('image'),
    interleaved: stop('text', 'image', 'text', 'image'),
    'thought-only': stop('thought image'),
    'thought-first': stop('thought text', 'thought image', 'text', 'image'),
    'wrong-mime': stop('image'),
    'unreadable-image': stop('image'),
    'truncated-image': stop('image'),
    'max-tokens-with-image': { finish: 'MAX_TOKENS', block: undefined, parts: ['image'] },
    'unknown-finish': { finish: 'IMAGE_MOOD', block: undefined, parts: [] },
    'unknown-finish-with-image': { finish: 'IMAGE_MOOD', block: undefined, parts: ['image'] },
    'tiny-image': stop('image'),
    'wrong-size': stop('image'),
    ungrounded: stop('text', 'image'),
    'other-model-version': stop('image'),
  }
  it.each(Object.keys(REPLIES) as ReplyName[])('%s comes as it is named', async reply => {
    own.gemini.control.reply({ reply, times: 1 })
    const answer = await own.ask('a hat', { imageConfig: { aspectRatio: '16:9' } })
    const block = reply.match(/^blocked-(.*)/)?.[1]
    const named = block ? { finish: undefined, block, parts: [] } : { finish: reply, block: undefined, parts: [] }
    expect(shape(answer)).toEqual(EXPECTED[reply] ?? named)
    expect(own.gemini.calls.at(-1)).toMatchObject({ outcome: reply, status: 200 })
  })

  it('may declare a PNG to be a JPEG', async () => {
    own.gemini.control.reply({ reply: 'wrong-mime' })
    const [part] = partsOf(await own.ask('a hat'))
    expect(part?.inlineData?.mimeType).toBe('image/jpeg')
    expect((await sharp(bytesOf(part)).metadata()).format).toBe('png')
  })

  it('may hold bytes that can’t be read, or only half of them', async () => {
    own.gemini.control.reply({ reply: 'unreadable-image', times: 1 })
    own.gemini.control.reply({ reply: 'truncated-image', times: 1 })
    for (let reply = 0; reply < 2; reply++) {
      const bytes = imageOf(await own.ask('a hat'))
      await expect(sharp(bytes, { failOn: 'truncated' }).raw().toBuffer()).rejects.toThrow()
    }
  })

  it('may have another size than was asked for', async () => {
    own.gemini.control.reply({ reply: 'wrong-size' })
    const { width, height } = await sharp(
      imageOf(await own.ask('a hat', { imageConfig: { aspectRatio: '16:9' } })),
    ).metadata()
    expect([width, height]).toEqual([1024, 1024])
  })

  it('may lack its sources, or come from another model', async () => {
    own.gemini.control.reply({ reply: 'ungrounded', times: 1 })
    own.gemini.control.reply({ reply: 'other-model-version', times: 1 })
    const config = { tools: [{ googleSearch: {} }] }
    expect((await own.ask('a hat', config)).candidates?.[0]?.groundingMetadata).toBeUndefined()
    expect((await own.ask('a hat', config)).modelVersion).toBe('gemini-3-pro-image')
  })

  it('says in finishMessage why there is no image', async () => {
    own.gemini.control.reply({ reply: 'IMAGE_SAFETY' })
    const { candidates } = await jsonOf(await own.post(HELLO))
    expect(candidates[0].finishMessage).toMatch(/Unable to show the generated image/)
  })
})
