import fc from 'fast-check'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bench, openDarkroom } from '../helpers/darkroom.ts'

let darkroom: Bench
let jpeg: Buffer
beforeAll(async () => {
  darkroom = await openDarkroom({ clockFactor: 10 })
  jpeg = await sharp({ create: { width: 64, height: 48, channels: 3, background: '#a85' } })
    .jpeg()
    .toBuffer()
  await darkroom.putRecipe('p', { operation: 'edit', prompt: 'look' })
})
afterAll(() => darkroom[Symbol.asyncDispose]())

/** Drops the photo under a key and returns the result that comes of it. */
async function edit(key: string) {
  const seen = darkroom.notices.length
  await darkroom.drop(key, jpeg)
  return darkroom.resultAfter(seen)
}

const AWKWARD = {
  'a space, a plus, a percent sign': 'p/a b+c%20d%.jpg',
  'what URLs use': 'p/a?b=c&d#e;f:g@h=i,j$k!.jpg',
  'quotes and brackets': `p/"a" 'b' <c> {d} [e] \\f | g ^ h \`.jpg`,
  'umlauts, composed and not': 'p/ä a\u0308.jpg',
  'a flag, a family and right-to-left': 'p/🇳🇴 👨‍👩‍👧 שלום.jpg',
  'dots that would climb': 'p/../../../p/..a/.jpg',
  'double and leading slashes': 'p//a///b.jpg',
  'no name before the extension': 'p/.jpg',
  'control characters': 'p/a\u0007b\u001b[2Jc\u007fd\u0085e.jpg',
  'a line break': 'p/a\r\nx-amz-meta-prompt: b.jpg',
  'an upper-case extension': 'p/IMG_0001.JPG',
  '1,024 bytes': `p/${'x'.repeat(1018)}.jpg`,
  '1,024 bytes of four each': `p/${'🖼'.repeat(254)}ab.jpg`,
}

it.for(Object.entries(AWKWARD))('a key with %s is read, and its result names it', async ([, key]) => {
  expect(Buffer.byteLength(key)).toBeLessThanOrEqual(1024)
  const result = await edit(key)
  expect(result).toMatchObject({
    status: 'done',
    inputs: [{ uri: `s3://${darkroom.env.UPLOADS_BUCKET}/${key}`, width: 64, height: 48 }],
  })
  const [image] = result.images
  expect(Buffer.byteLength(image?.key ?? '')).toBeLessThanOrEqual(900)
  expect(image?.key.split('/')).not.toContain('..')
  expect((await darkroom.fetch(image?.key ?? '')).bytes.length).toBe(image?.bytes)
})

/** Keys as S3 takes them: UTF-8, up to 1,024 bytes. Control characters are left out: they don't survive S3's own XML. */
const anyKey = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 200 })
  .map(name => `p/${name.toWellFormed().replace(/[\p{Cc}\ufffe\uffff]/gu, '')}-.jpg`)
  .filter(key => Buffer.byteLength(key) <= 1024)

it('what is uploaded under any key is what is read, and the result names it', async () => {
  await fc.assert(
    fc.asyncProperty(anyKey, async key => {
      const result = await edit(key)
      expect(result.inputs[0]?.uri).toBe(`s3://${darkroom.env.UPLOADS_BUCKET}/${key}`)
      expect(result.status).toBe('done')
    }),
    { numRuns: 40 },
  )
}, 60_000)

it('a photo that its phone stored turned keeps the format that people see', async () => {
  const turned = await sharp({ create: { width: 400, height: 300, channels: 3, background: '#58a' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer()
  await darkroom.drop('p/turned.jpg', turned)
  const result = await darkroom.result('p/turned/')
  expect(result.inputs).toMatchObject([{ width: 300, height: 400 }])
  expect(result.job.imageConfig).toEqual({ aspectRatio: '3:4' })
  expect(result.images).toMatchObject([{ width: 896, height: 1200 }])
})
