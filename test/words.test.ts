import { describe, expect, test } from 'vitest'
import { DEFAULT_SETTINGS, readSettings } from '../lib/config.ts'
import { buildWordsRequest } from '../lib/gemini/request.ts'
import type { Grounding } from '../lib/grounding.ts'
import { parseJob } from '../lib/job.ts'
import type { Reply } from '../lib/parts.ts'
import { makePlan, planOpenWords, type WordsPlan } from '../lib/plan.ts'
import { fillWords, judgeWords, WORDS } from '../lib/words.ts'

const textModel = { id: 'gemini-words-flash', prices: { input: 0.3, text: 2.5, asOf: '2026-11-01' } }
const settings = readSettings({ textModel })
const weather = { operation: 'weather', slots: { place: 'Oslo', days: '3' } }
const logo = { operation: 'logo', slots: { brand: 'a bakery' } }
const open = (job: object, given = settings) => planOpenWords(parseJob(job), given)

describe('words are written first where a job leaves them open', () => {
  test.each<[string, object, string]>([
    ['a logo’s', logo, 'Write the words that a picture for a bakery should bear.'],
    ['a forecast', weather, 'Look up the current weather forecast for Oslo. Cover 3 days.'],
  ])('%s', (_, job, prompt) => {
    expect(open(job)).toMatchObject({
      modelId: 'gemini-words-flash',
      prompt: expect.stringContaining(prompt),
      warnings: [],
    })
  })

  test.each<[string, object, object]>([
    ['words in their slot', { operation: 'logo', slots: { brand: 'a bakery', text: 'BREAD' } }, { textModel }],
    ['a forecast in its slot', { operation: 'weather', slots: { place: 'Oslo', facts: 'snow' } }, { textModel }],
    ['a prompt of its own', { operation: 'weather', prompt: 'Oslo in the rain' }, { textModel }],
    ['an operation without words', { operation: 'photo', slots: { subject: 'a cup' } }, { textModel }],
    ['no text model in the settings', logo, {}],
    ['an operation that the settings leave out', weather, { textModel: { ...textModel, operations: ['logo'] } }],
  ])('not with %s', (_, job, file) => {
    expect(open(job, readSettings(file))).toBeUndefined()
  })

  test('not by batch, which asks once: the job is refused', () => {
    expect(() => open({ ...logo, lane: 'batch' }, readSettings({ textModel }))).toThrow(
      expect.objectContaining({ code: 'ERR_JOB_LANE' }),
    )
  })

  test('without a text model a logo needs its words', () => {
    expect(() => makePlan(parseJob(logo), DEFAULT_SETTINGS, '2026-11-21')).toThrow(
      expect.objectContaining({ code: 'ERR_JOB_SLOTS', message: expect.stringContaining('slot text is missing') }),
    )
  })

  test('a text model without prices is refused, and so is one for other operations', () => {
    expect(() => readSettings({ textModel: { id: 'gemini-words-flash' } })).toThrow('prices')
    expect(() => readSettings({ textModel: { ...textModel, operations: ['photo'] } })).toThrow('operations')
  })
})

describe('the question', () => {
  test.each<[string, object, object | undefined]>([
    ['looks a forecast up', weather, { web: true, images: false, required: true }],
    [
      'takes one that was not looked up where the job does',
      { ...weather, grounding: { required: false } },
      { web: true, images: false, required: false },
    ],
    [
      'looks a forecast up also beside pictures',
      { ...weather, grounding: { images: true } },
      { web: true, images: false, required: true },
    ],
    ['looks nothing up for a logo', logo, undefined],
    [
      'looks a logo up where the job asks for it',
      { ...logo, grounding: { web: true } },
      { web: true, images: false, required: false },
    ],
  ])('%s', (_, job, wish) => {
    expect(open(job)?.words.wish).toEqual(wish)
  })

  test('asks for JSON by schema, and never for a picture', () => {
    const { words, modelId } = open(weather) as WordsPlan
    expect(buildWordsRequest(modelId, words)).toEqual({
      model: 'gemini-words-flash',
      contents: [{ role: 'user', parts: [{ text: words.prompt }] }],
      config: {
        responseMimeType: 'application/json',
        responseJsonSchema: expect.objectContaining({ type: 'object', required: ['days'] }),
        tools: [{ googleSearch: {} }],
      },
    })
    expect(WORDS.weather.schema).not.toHaveProperty('$schema')
  })
})

const forecast = { days: [{ date: '2026-11-21', sky: 'snow', high: -2, low: -9 }] }
const grounding: Grounding = { webQueries: ['Oslo'], imageQueries: [], sources: [], supports: [] }
const reply = (text: string, rest: Partial<Reply> = {}): Reply => ({
  parts: text === '' ? [] : [{ kind: 'text', text, thought: false }],
  finishReason: 'STOP',
  usage: {},
  ...rest,
})

describe('a text model’s reply', () => {
  const ask = (open(weather) as WordsPlan).words

  test.each([
    ['JSON', JSON.stringify(forecast)],
    ['JSON in a fence', `\`\`\`json\n${JSON.stringify(forecast)}\n\`\`\``],
  ])('%s is the slot, and nothing that was not asked for', (_, text) => {
    const wordy = text.replace('"days"', '"chatter":1,"days"')
    expect(judgeWords(reply(wordy, { grounding }), ask)).toMatchObject({ phrase: JSON.stringify(forecast) })
  })

  test.each<[string, Reply, string, number]>([
    ['no JSON', reply('Sunny!', { grounding }), 'ERR_REPLY_WORDS', 2],
    ['JSON of another form', reply('{"days":[]}', { grounding }), 'ERR_REPLY_WORDS', 2],
    ['nothing at all', reply(''), 'ERR_REPLY_WORDS', 2],
    ['a forecast out of thin air', reply(JSON.stringify(forecast)), 'ERR_REPLY_UNGROUNDED', 2],
    ['a blocked prompt', reply('', { blockReason: 'SAFETY', finishReason: undefined }), 'ERR_REPLY_BLOCKED', 1],
    ['a blocked answer', reply('', { finishReason: 'PROHIBITED_CONTENT' }), 'ERR_REPLY_BLOCKED', 1],
    ['a language it does not take', reply('', { finishReason: 'LANGUAGE' }), 'ERR_REPLY_LANGUAGE', 1],
  ])('%s is an error', (_, given, code, most) => {
    expect(judgeWords(given, ask)).toMatchObject({ error: { code }, most })
  })

  test('that need not be looked up counts with a warning', () => {
    const loose = (open({ ...weather, grounding: { required: false } }) as WordsPlan).words
    expect(judgeWords(reply(JSON.stringify(forecast)), loose)).toMatchObject({
      phrase: JSON.stringify(forecast),
      warnings: ['asked for grounding, the reply has none'],
    })
  })
})

test('a job with its words filled in looks nothing up on the web again, but pictures it does', () => {
  const { words } = open(weather) as WordsPlan
  expect(fillWords(parseJob({ ...weather, grounding: { web: true, required: true } }), words, 'snow')).toMatchObject({
    slots: { place: 'Oslo', days: '3', facts: 'snow' },
    grounding: undefined,
  })
  expect(fillWords(parseJob({ ...weather, grounding: { web: true, images: true } }), words, 'snow').grounding).toEqual({
    images: true,
  })
})
