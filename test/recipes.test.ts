import { describe, expect, test } from 'vitest'
import { parseJob } from '../lib/job.ts'
import { applyRecipe, decodeMetadata, parseRecipe, recipeNameOf } from '../lib/recipes.ts'

const photo = (metadata: Record<string, string> = {}) => ({ bucket: 'uploads', key: 'postcard/a/cup.jpg', metadata })

/** The job of a photo, through the same door that a real one takes. */
function jobOf(recipe: object, metadata?: Record<string, string>) {
  const text = JSON.stringify({ operation: 'style-transfer', ...recipe })
  return parseJob(
    JSON.parse(JSON.stringify(applyRecipe(parseRecipe(text, 'postcard'), 'postcard', photo(metadata), 'recipes'))),
  )
}

describe('the first folder of a key names the recipe', () => {
  test.each([
    ['postcard/cup.jpg', 'postcard'],
    ['postcard/2026/may/cup.JPEG', 'postcard'],
    ['Küche/cup.WebP', 'Küche'],
    ['a b/cup.heic', 'a b'],
    ['x/.png', 'x'],
    ['x/archive.tar.HEIF', 'x'],
  ])('%s', (key, name) => {
    expect(recipeNameOf(key)).toBe(name)
  })

  test.each([
    ['cup.jpg', 'ERR_UPLOAD_NO_RECIPE', 'cup.jpg names no recipe: upload it to <recipe>/cup.jpg'],
    ['/cup.jpg', 'ERR_UPLOAD_NO_RECIPE', 'names no recipe'],
    ['cup', 'ERR_UPLOAD_NO_RECIPE', 'names no recipe'],
    ['postcard/cup.gif', 'ERR_UPLOAD_NOT_AN_IMAGE', 'postcard/cup.gif is no .png'],
    ['postcard/cup.jpg.txt', 'ERR_UPLOAD_NOT_AN_IMAGE', 'convert the photo first'],
    ['postcard/jpg', 'ERR_UPLOAD_NOT_AN_IMAGE', ''],
    ['postcard/cup.avif', 'ERR_UPLOAD_NOT_AN_IMAGE', ''],
  ])('%s is refused: %s', (key, code, message) => {
    expect(() => recipeNameOf(key)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
  })
})

describe('a recipe', () => {
  test.each([
    ['{ no json', 'recipe postcard.json is no JSON'],
    ['[]', 'recipe postcard.json'],
    ['{"operation":"paint"}', 'operation'],
    ['{"operation":"edit","promt":"x"}', 'unknown field "promt"'],
    ['{"operation":"edit","inputs":["s3://a-bucket/b"]}', 'unknown field "inputs"'],
    ['{"operation":"edit","id":"a"}', 'unknown field "id"'],
    ['{"operation":"edit","allow":["prefix"]}', 'allow.0'],
  ])('that is %s is refused', (text, message) => {
    expect(() => parseRecipe(text, 'postcard')).toThrow(
      expect.objectContaining({ code: 'ERR_RECIPE_INVALID', message: expect.stringContaining(message) }),
    )
  })

  test('becomes the job of a photo: the photo first, the references behind it, nothing of the recipe’s own', () => {
    const job = jobOf({
      description: 'postcards of the fifties',
      slots: { style: 'a postcard' },
      references: ['postcard/stamp.png', { uri: 's3://brand/logo.png', role: 'style' }],
      role: 'base',
      model: 'gemini-3-pro-image',
      imageConfig: { aspectRatio: '3:2' },
      labels: ['spring'],
      allow: ['prompt'],
    })
    expect(job).toEqual({
      operation: 'style-transfer',
      slots: { style: 'a postcard' },
      inputs: [
        { uri: 's3://uploads/postcard/a/cup.jpg', role: 'base' },
        { uri: 's3://recipes/postcard/stamp.png' },
        { uri: 's3://brand/logo.png', role: 'style' },
      ],
      model: 'gemini-3-pro-image',
      imageConfig: { aspectRatio: '3:2' },
      labels: ['spring'],
      lane: 'now',
    })
  })

  test.each(['/etc/stamp.png', '../settings.json', 'postcard/../../stamp.png'])(
    'may not name a reference that climbs: %s',
    uri => {
      expect(() => jobOf({ slots: { style: 'x' }, references: [uri] })).toThrow(
        expect.objectContaining({ code: 'ERR_RECIPE_INVALID' }),
      )
    },
  )
})

describe('metadata fills the slots that a recipe leaves open', () => {
  test.each([
    ['slot-style', 'style'],
    ['Slot-Style', 'style'],
    ['slot-line-style', 'line_style'],
    ['slot-background_colour', 'background_colour'],
  ])('%s: %s', (name, slot) => {
    expect(jobOf({}, { [name]: 'ink' }).slots).toEqual({ [slot]: 'ink' })
  })

  test('beside those that it fills itself', () => {
    expect(jobOf({ slots: { style: 'ink' } }, { 'slot-subject': 'a%20cup' }).slots).toEqual({
      style: 'ink',
      subject: 'a cup',
    })
  })

  test('but not those: who uploads does not change the recipe', () => {
    expect(() => jobOf({ slots: { style: 'ink' } }, { 'slot-style': 'oil' })).toThrow(
      expect.objectContaining({
        code: 'ERR_UPLOAD_METADATA',
        message: expect.stringContaining('slot style is filled by the recipe itself'),
      }),
    )
  })

  test('and metadata that has nothing to do with Darkroom is none of its business', () => {
    expect(jobOf({ slots: { style: 'ink' } }, { camera: 'M6', operation: 'logo', prefix: '../x' })).toEqual(
      jobOf({ slots: { style: 'ink' } }),
    )
  })
})

describe('metadata sets a wish only where the recipe allows it', () => {
  const wishes: [string, string][] = [
    ['prompt', 'make it blue'],
    ['model', 'gemini-3-pro-image'],
    ['session', 'kitchen'],
    ['lane', 'batch'],
  ]
  test.each(wishes)('%s', (wish, value) => {
    expect(jobOf({ allow: [wish] }, { [wish]: value })).toMatchObject({ [wish]: value })
    expect(() => jobOf({}, { [wish]: value })).toThrow(
      expect.objectContaining({
        code: 'ERR_UPLOAD_METADATA',
        message: expect.stringContaining(`metadata ${wish} is not in its "allow"`),
      }),
    )
  })

  test('all that it does not allow is named at once', () => {
    expect(() => jobOf({ slots: { style: 'a' } }, { model: 'x', prompt: 'y', 'slot-style': 'z' })).toThrow(
      /metadata model.*metadata prompt.*slot style/,
    )
  })

  test('a lane that is none is refused by name', () => {
    expect(() => jobOf({ allow: ['lane'] }, { lane: 'express' })).toThrow(
      'metadata lane is "express", expected now or batch',
    )
  })

  test('what the uploader leaves out stays as the recipe has it', () => {
    expect(jobOf({ allow: ['lane', 'model'], lane: 'batch', model: 'gemini-3-pro-image' })).toMatchObject({
      lane: 'batch',
      model: 'gemini-3-pro-image',
    })
  })
})

describe('metadata is read as people and S3 write it', () => {
  test.each([
    ['plain words', 'plain words'],
    ['caf%C3%A9%20cr%C3%A8me', 'café crème'],
    ['100 % wool', '100 % wool'],
    ['a+b', 'a+b'],
    ['=?UTF-8?Q?caf=C3=A9_cr=C3=A8me?=', 'café crème'],
    ['=?utf-8?q?=E6=97=A5=E6=9C=AC?=', '日本'],
    ['=?UTF-8?B?5pel5pys?=', '日本'],
    ['=?UTF-8?B?5pel?= =?UTF-8?B?5pys?=', '日本'],
    ['=?UTF-8?Q?a?=\r\n =?UTF-8?Q?_b?=', 'a b'],
    ['=?UTF-8?Q?caf=C3=A9?= au lait', 'café au lait'],
    ['un =?UTF-8?Q?caf=C3=A9?=', 'un café'],
    ['=?latin1?Q?caf=E9?=', '=?latin1?Q?caf=E9?='],
    ['', ''],
  ])('%j: %j', (written, read) => {
    expect(decodeMetadata(written)).toBe(read)
  })
})
