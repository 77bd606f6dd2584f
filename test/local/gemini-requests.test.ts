import type { Part } from '@google/genai/web'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { startGemini } from '../../infra/local/gemini/server.ts'
import { DEFAULT_MODEL } from '../../lib/models.ts'
import { bodyOf, clientOf, HELLO, imageOf, inline, jsonOf, photoOf, refusal, useGemini, user } from './gemini-client.ts'
import { changed } from './gemini-pixels.ts'

const LEGACY = 'gemini-2.5-flash-image'
const own = useGemini()
let photo: Buffer
beforeAll(async () => {
  photo = await photoOf('dust-bowl-home')
})

describe('the key', () => {
  it('is refused with 403 where it is missing', async () => {
    const response = await own.post(HELLO, {})
    expect(response.status).toBe(403)
    expect((await jsonOf(response)).error.status).toBe('PERMISSION_DENIED')
  })

  it('is refused with 400 and a reason where it is wrong', async () => {
    const error = await refusal(
      clientOf({ baseUrl: own.gemini.baseUrl, apiKey: 'other' }).models.generateContent({
        model: DEFAULT_MODEL,
        contents: 'a hat',
      }),
    )
    expect(error.status).toBe(400)
    expect(bodyOf(error).details[0]).toMatchObject({ reason: 'API_KEY_INVALID' })
  })

  it('may stand in the address', async () => {
    const response = await fetch(`${own.gemini.baseUrl}/v1/models/${DEFAULT_MODEL}:generateContent?key=stand-in`, {
      method: 'POST',
      body: JSON.stringify(HELLO),
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('x-gemini-service-tier')).toBe('standard')
    expect(response.headers.get('content-encoding')).toBe('gzip')
  })
})

describe('a request', () => {
  it('is refused with all its unknown fields at once, in Google’s words', async () => {
    const response = await own.post({
      ...HELLO,
      colour: 1,
      generationConfig: { temprature: 1, imageConfig: { personGeneration: 'x' } },
    })
    const { error } = await jsonOf(response)
    expect(response.status).toBe(400)
    expect(error.message.split('\n')).toEqual([
      'Invalid JSON payload received. Unknown name "colour": Cannot find field.',
      'Invalid JSON payload received. Unknown name "temprature" at \'generation_config\': Cannot find field.',
      'Invalid JSON payload received. Unknown name "personGeneration" at \'generation_config.image_config\': Cannot find field.',
    ])
    expect(error.details[0].fieldViolations).toHaveLength(3)
  })

  it('may spell its fields in snake case', async () => {
    const response = await own.post({
      ...HELLO,
      generation_config: { response_modalities: ['IMAGE'], image_config: { image_size: '1K', aspect_ratio: '1:1' } },
    })
    const reply = await jsonOf(response)
    expect(reply.candidates[0].content.parts).toHaveLength(1)
  })

  const config = (generationConfig: object) => ({ ...HELLO, generationConfig })
  const parts = (...list: object[]) => ({ contents: [{ role: 'user', parts: list }] })
  it.each([
    [
      'a size in lower case',
      config({ imageConfig: { imageSize: '1k' } }),
      /image_size must be one of '1K', '2K', '4K'/,
    ],
    ['a size that the model lacks', config({ imageConfig: { imageSize: '512' } }), /image_size/],
    ['a ratio that no model has', config({ imageConfig: { aspectRatio: '7:5' } }), /aspect_ratio must be one of/],
    [
      'a thinking level that the model lacks',
      config({ thinkingConfig: { thinkingLevel: 'LOW' } }),
      /Thinking level LOW/,
    ],
    [
      'a thinking level that is none',
      config({ thinkingConfig: { thinkingLevel: 'DEEP' } }),
      /Invalid value at 'generation_config.thinking_config.thinking_level'/,
    ],
    ['sampling parameters', config({ temperature: 0.5, seed: 1 }), /temperature[\s\S]*seed/],
    ['several candidates', config({ candidateCount: 2 }), /Multiple candidates is not enabled/],
    ['JSON', config({ responseMimeType: 'application/json' }), /JSON mode is not enabled/],
    ['no contents', { contents: [] }, /contents is not specified/],
    ['an empty part', parts({}), /required oneof field 'data'/],
    ['another role', { contents: [{ role: 'system', parts: [{ text: 'a' }] }] }, /valid role/],
    ['a GIF', parts({ inlineData: { mimeType: 'image/gif', data: 'R0lGODlh' } }), /Unsupported MIME type: image\/gif/],
    [
      'bytes that are no image',
      parts({ inlineData: { mimeType: 'image/png', data: 'aGVsbG8=' } }, { text: 'a' }),
      /Unable to process input image/,
    ],
    ['what is no base64', parts({ inlineData: { mimeType: 'image/png', data: '%%%' } }), /Base64 decoding failed/],
    [
      'fifteen images',
      parts(...Array(15).fill({ inlineData: { mimeType: 'image/png', data: 'aGVsbG8=' } })),
      /Too many images/,
    ],
  ])('is refused with %s', async (_, body, message) => {
    const response = await own.post(body)
    expect(response.status).toBe(400)
    expect((await jsonOf(response)).error).toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
  })

  it('is refused with half an image', async () => {
    const error = await refusal(own.ask([inline(photo.subarray(0, photo.length / 2)), { text: 'make it warm' }]))
    expect(bodyOf(error).message).toMatch(/Unable to process input image/)
  })

  it.each([
    ['gemini-3-pro-image-preview', 'retired'],
    ['imagen-4.0-generate-001', 'retired'],
    ['gemini-9-image', 'unknown'],
  ])('to %s, which is %s, is answered with 404', async model => {
    const error = await refusal(own.ask('a hat', {}, model))
    expect(error.status).toBe(404)
    expect(bodyOf(error).message).toContain(`models/${model} is not found for API version v1beta`)
  })

  it('to a model that is shut down on the stand-in’s day is answered with 404', async () => {
    await using later = await startGemini({ now: () => Date.UTC(2027, 2, 15) })
    const error = await refusal(clientOf(later).models.generateContent({ model: LEGACY, contents: 'a hat' }))
    expect(error.status).toBe(404)
  })

  it('over 100 MB is refused', async () => {
    const error = await refusal(own.ask('x'.repeat(105_000_000)))
    expect(bodyOf(error)).toMatchObject({
      code: 400,
      message: 'Request payload size exceeds the limit: 104857600 bytes.',
    })
  })
})

describe('a conversation', () => {
  const turn = { text: 'now at night' }

  it('goes on from the picture made last, sent back as it came', async () => {
    const first = await own.ask('a lake')
    const contents = [user({ text: 'a lake' }), first.candidates?.[0]?.content ?? {}, user(turn)]
    const second = await own.ai.models.generateContent({ model: DEFAULT_MODEL, contents })
    expect(await changed(imageOf(first), imageOf(second))).toBeGreaterThan(0.5)
    const mean = async (bytes: Buffer) => (await sharp(bytes).stats()).channels[0]?.mean ?? 0
    expect(await mean(imageOf(second))).toBeLessThan(await mean(imageOf(first)))
  })

  const spoilt: [string, (part: Part) => Part, RegExp][] = [
    [
      'without signatures',
      ({ thoughtSignature: _, ...part }) => part,
      /part is missing a thought_signature in content position 2/,
    ],
    [
      'with a signature cut short',
      part => ({ ...part, thoughtSignature: part.thoughtSignature?.slice(0, -8) }),
      /Thought signature is not valid/,
    ],
    [
      'with a signature altered',
      part => ({ ...part, thoughtSignature: `AAAA${part.thoughtSignature?.slice(4)}` }),
      /Thought signature is not valid/,
    ],
  ]
  it.each(spoilt)('is refused %s', async (_, spoil, message) => {
    const model = (await own.ask('a lake')).candidates?.[0]?.content
    const contents = [user({ text: 'a lake' }), { role: 'model', parts: model?.parts?.map(spoil) ?? [] }, user(turn)]
    const error = await refusal(own.ai.models.generateContent({ model: DEFAULT_MODEL, contents }))
    expect(error.status).toBe(400)
    expect(bodyOf(error).message).toMatch(message)
  })

  it('does not survive a change of model', async () => {
    const content = (await own.ask('a lake')).candidates?.[0]?.content ?? {}
    const contents = [user({ text: 'a lake' }), content, user(turn)]
    const error = await refusal(own.ai.models.generateContent({ model: 'gemini-3-pro-image', contents }))
    expect(bodyOf(error).message).toBe('Thought signature is not valid')
  })
})
