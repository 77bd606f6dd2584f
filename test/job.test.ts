import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EditError } from '../lib/errors.ts'
import { hashOf, OPERATIONS, parseJob, parseJson } from '../lib/job.ts'
import { caught } from './helpers/caught.ts'

const smallest = { operation: 'generate', prompt: 'a cup' }

function faultOf(value: unknown): { code: string; message: string } {
  try {
    parseJob(value)
  } catch (error) {
    return error as EditError
  }
  return { code: 'accepted', message: '' }
}

test('the smallest job runs now and has no inputs', () => {
  expect(parseJob(smallest)).toEqual({ operation: 'generate', prompt: 'a cup', lane: 'now', inputs: [] })
})

test('a job with every field comes back as it was sent', () => {
  const job = {
    id: 'order-17.front_B',
    operation: 'compose',
    inputs: [{ uri: 's3://photos/a.jpg', role: 'base' }, { uri: 's3://photos/Küche/b c?.png' }],
    slots: { first: 'the cup', second: 'the table' },
    model: 'gemini-3-pro-image',
    imageConfig: { aspectRatio: '16:9', imageSize: '4K' },
    responseModalities: ['TEXT', 'IMAGE'],
    thinkingConfig: { thinkingLevel: 'HIGH', includeThoughts: true },
    grounding: { web: true, images: true, required: true },
    systemInstruction: 'Be brief.',
    session: 'kitchen',
    lane: 'batch',
    prefix: 'orders/17',
    publishAs: 'shop/front',
    labels: ['spring', ''],
  }
  expect(parseJob(job)).toEqual(job)
})

test('an input may be written as a plain address', () => {
  const { inputs } = parseJob({
    ...smallest,
    inputs: ['s3://photos/a.jpg', { uri: 's3://photos/b.jpg', role: 'mask' }],
  })
  expect(inputs).toEqual([{ uri: 's3://photos/a.jpg' }, { uri: 's3://photos/b.jpg', role: 'mask' }])
})

test('the operations are those of the guide and the two free ones', () => {
  expect(OPERATIONS.toSorted()).toEqual([
    'add-remove',
    'comic',
    'compose',
    'edit',
    'generate',
    'inpaint',
    'logo',
    'negative-space',
    'photo',
    'preserve-detail',
    'product-shot',
    'sketch-to-photo',
    'sticker',
    'style-transfer',
    'turnaround',
    'weather',
  ])
})

describe('what is no object is no job', () => {
  test.each([
    [null, 'object'],
    [undefined, 'undefined'],
    ['{}', 'string'],
    [7, 'number'],
    [[smallest], 'an array'],
  ])('%j', (value, got) => {
    expect(faultOf(value)).toMatchObject({
      code: 'ERR_JOB_UNREADABLE',
      message: `a job is a JSON object, got ${got}`,
    })
  })

  test('a body that is no JSON is refused without repeating what was sent', async () => {
    const error = await caught(() => parseJson('{"prompt": "my secret wish', 'the message'))
    expect(error).toMatchObject({ code: 'ERR_JOB_UNREADABLE', message: 'the message is no JSON' })
    expect(String((error as Error).stack)).not.toContain('secret')
  })
})

describe('a faulty field is refused by name', () => {
  const euro = (bytes: number) => '€'.repeat(Math.floor(bytes / 3))
  test.each<[string, object, string]>([
    ['a typo', { promt: 'a cup' }, 'unknown field "promt"'],
    ['a typo further in', { imageConfig: { size: '1K' } }, 'unknown field "size" in imageConfig'],
    ['an operation that is none', { operation: 'paint' }, 'operation:'],
    ['no operation', { operation: undefined }, 'operation:'],
    ['an empty prompt', { prompt: '' }, 'prompt:'],
    ['a prompt of 33 KB', { prompt: 'x'.repeat(33 * 1024) }, 'prompt: is longer than 32 KB'],
    ['a prompt of 33 KB in few characters', { prompt: euro(33 * 1024) }, 'prompt: is longer than 32 KB'],
    ['an id with a slash', { id: 'a/b' }, 'id:'],
    ['an empty id', { id: '' }, 'id:'],
    ['an id of 101 characters', { id: 'a'.repeat(101) }, 'id:'],
    ['an id that climbs', { id: '..' }, 'id:'],
    ["an id of Darkroom's own uploads", { id: 'up-1' }, 'id: may not begin with'],
    ["an id of Darkroom's own messages", { id: 'msg-1' }, 'id: may not begin with'],
    ["an id of Darkroom's own schedules", { id: 'sch-1' }, 'id: may not begin with'],
    ['an input on the web', { inputs: ['https://example.com/a.jpg'] }, 'inputs.0.uri: is no s3://bucket/key'],
    ['an input without a key', { inputs: ['s3://photos/'] }, 'inputs.0.uri:'],
    ['an input that is a number', { inputs: [7] }, 'inputs.0:'],
    ['an input with a role that is none', { inputs: [{ uri: 's3://photos/a', role: 'hat' }] }, 'inputs.0.role:'],
    ['33 inputs', { inputs: Array(33).fill('s3://photos/a.jpg') }, 'inputs:'],
    ['a size in lower case', { imageConfig: { imageSize: '1k' } }, 'imageConfig.imageSize:'],
    ['a size with a K too many', { imageConfig: { imageSize: '512K' } }, 'imageConfig.imageSize:'],
    ['a ratio that is none', { imageConfig: { aspectRatio: '7:5' } }, 'imageConfig.aspectRatio:'],
    ['words only', { responseModalities: ['TEXT'] }, 'responseModalities:'],
    ['sound', { responseModalities: ['AUDIO'] }, 'responseModalities:'],
    ['a thinking level in lower case', { thinkingConfig: { thinkingLevel: 'high' } }, 'thinkingConfig.thinkingLevel:'],
    ['a model by its address', { model: 'models/gemini' }, 'model: is no model id'],
    ['a lane that is none', { lane: 'slow' }, 'lane:'],
    ['a prefix that climbs', { prefix: 'a/../b' }, 'prefix: may not contain ".."'],
    ['a prefix from the root', { prefix: '/a' }, 'prefix: may not begin or end with /'],
    ['a prefix with a folder without name', { prefix: 'a//b' }, 'prefix:'],
    ['a prefix with a line break', { prefix: 'a\nb' }, 'prefix: may not contain control characters'],
    ['a prefix of 501 bytes', { prefix: 'a'.repeat(501) }, 'prefix: is longer than 500 bytes'],
    ['a name to publish that climbs', { publishAs: '../b' }, 'publishAs:'],
    ['11 labels', { labels: Array(11).fill('x') }, 'labels:'],
    ['a label of 101 characters', { labels: ['x'.repeat(101)] }, 'labels.0:'],
    ['a slot that is a number', { slots: { days: 3 } }, 'slots.days:'],
    ['grounding switched off by a word', { grounding: { web: 'no' } }, 'grounding.web:'],
    ['a temperature', { temperature: 0.5 }, 'unknown field "temperature"'],
  ])('%s', (_, fault, named) => {
    const { code, message } = faultOf({ ...smallest, ...fault })
    expect(code).toBe('ERR_JOB_INVALID')
    expect(message).toContain(named)
  })

  test('all faults are named at once', () => {
    const { message } = faultOf({ operation: 'paint', promt: 'a', lane: 'slow' })
    expect(message).toContain('operation')
    expect(message).toContain('"promt"')
    expect(message).toContain('lane')
  })
})

describe('what is allowed at its limits', () => {
  test.each<[string, object]>([
    ['a prompt of 32 KB', { prompt: 'x'.repeat(32 * 1024) }],
    ['an id of 100 characters', { id: 'a'.repeat(100) }],
    ['an id with dots', { id: '...' }],
    ['an id that begins almost as Darkroom’s', { id: 'upper-1' }],
    ['32 inputs', { inputs: Array(32).fill('s3://photos/a.jpg') }],
    ['a key of 1,024 bytes', { inputs: [`s3://photos/${'x'.repeat(1024)}`] }],
    ['a key with a line break', { inputs: ['s3://photos/a\nb.jpg'] }],
    ['a prefix of 500 bytes', { prefix: 'a'.repeat(500) }],
    ['pictures only', { responseModalities: ['IMAGE'] }],
    ['512 without a K', { imageConfig: { imageSize: '512' } }],
  ])('%s', (_, field) => {
    expect(faultOf({ ...smallest, ...field }).code).toBe('accepted')
  })
})

test('whatever JSON comes, it is a job or refused', () => {
  fc.assert(
    fc.property(fc.jsonValue(), value => {
      const fault = faultOf(value)
      return fault instanceof EditError || fault.code === 'accepted'
    }),
  )
})

describe('the hash of a job', () => {
  test('does not depend on the order of fields', () => {
    expect(hashOf({ a: 1, b: { c: [1, { d: 2, e: 3 }] } })).toBe(hashOf({ b: { c: [1, { e: 3, d: 2 }] }, a: 1 }))
  })
  test.each([
    [{ a: 1 }, { a: 2 }],
    [{ a: [1, 2] }, { a: [2, 1] }],
    [{ a: { b: 1 } }, { a: { c: 1 } }],
    [{ a: '1' }, { a: 1 }],
  ])('tells %j from %j', (one, other) => {
    expect(hashOf(one)).not.toBe(hashOf(other))
  })
})
