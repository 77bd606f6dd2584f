import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { DEFAULT_MODEL, expectedPixels, MODELS, type Model } from '../../lib/models.ts'
import { bytesOf, imageOf, inline, partsOf, photoOf, type Reply, useGemini } from './gemini-client.ts'
import { changed } from './gemini-pixels.ts'

const LEGACY = 'gemini-2.5-flash-image'
const own = useGemini()
let photo: Buffer
let flower: Buffer
beforeAll(async () => {
  photo = await photoOf('dust-bowl-home')
  flower = await photoOf('allium-oreophilum')
})

describe('the picture', () => {
  it.each([
    [DEFAULT_MODEL, '16:9', '1K'],
    [DEFAULT_MODEL, '1:8', '1K'],
    ['gemini-3.1-flash-image', '4:5', '512'],
    ['gemini-3-pro-image', '2:3', '2K'],
  ] as const)('of %s at %s and %s has the size of the catalogue', async (model, aspectRatio, imageSize) => {
    const { width, height, format } = await sharp(
      imageOf(await own.ask('a lake', { imageConfig: { aspectRatio, imageSize } }, model)),
    ).metadata()
    expect([width, height]).toEqual(expectedPixels(MODELS[model] as Model, aspectRatio, imageSize))
    expect(format).toBe('jpeg')
  })

  it('takes the ratio of its input where none is named', async () => {
    const tall = await sharp(photo).resize(600, 1000, { fit: 'cover' }).jpeg().toBuffer()
    const { width, height } = await sharp(imageOf(await own.ask([inline(tall), { text: 'make it warm' }]))).metadata()
    expect([width, height]).toEqual([768, 1376])
  })

  it('is square where there is neither ratio nor input', async () => {
    const { width, height } = await sharp(imageOf(await own.ask('a red hat'))).metadata()
    expect([width, height]).toEqual([1024, 1024])
  })

  it('stands as the input is displayed, not as it is stored', async () => {
    const halves = '<svg width="800" height="600"><rect width="400" height="600" fill="#f00"/></svg>'
    const stored = sharp({ create: { width: 800, height: 600, channels: 3, background: '#00f' } })
    // Orientation 6 is shown a quarter turn clockwise: what is stored on the left stands on top.
    const turned = await stored
      .composite([{ input: Buffer.from(halves) }])
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer()
    const text = 'change only the middle, keep everything else exactly the same'
    const { data, info } = await sharp(imageOf(await own.ask([inline(turned), { text }])))
      .raw()
      .toBuffer({ resolveWithObject: true })
    expect([info.width, info.height]).toEqual([896, 1200])
    const [top, bottom] = [20 * 3, ((info.height - 20) * info.width + 20) * 3]
    expect(data[top]).toBeGreaterThan(200)
    expect(data[bottom]).toBeLessThan(50)
  })

  it('bears a mark in its corner that no font is needed for', async () => {
    const before = await sharp(flower).resize(1024, 1024, { fit: 'cover' }).png().toBuffer()
    const text = 'change only the leaf, keep everything else exactly the same'
    const after = imageOf(await own.ask([inline(before, 'image/png'), { text }]))
    const corner = { left: 0.82, top: 0.02, right: 0.98, bottom: 0.05 }
    expect(await changed(before, after, corner)).toBeGreaterThan(0.7)
    const { data } = await sharp(after)
      .extract({ left: 800, top: 16, width: 200, height: 40 })
      .greyscale()
      .raw()
      .toBuffer({ resolveWithObject: true })
    expect(data.filter(light => light > 235).length).toBeGreaterThan(150)
  })

  it('is a PNG without signature from Gemini 2.5, a JPEG with one as large as itself from Gemini 3', async () => {
    const [old, recent] = await Promise.all([own.ask('a hat', {}, LEGACY), own.ask('a hat')])
    const [oldPart, part] = [old, recent].map(reply => partsOf(reply).find(each => each.inlineData))
    expect((await sharp(bytesOf(oldPart)).metadata()).format).toBe('png')
    expect(oldPart?.inlineData?.mimeType).toBe('image/png')
    expect(oldPart?.thoughtSignature).toBeUndefined()
    expect(part?.inlineData?.mimeType).toBe('image/jpeg')
    expect(part?.thoughtSignature?.length).toBeGreaterThanOrEqual(part?.inlineData?.data?.length ?? Infinity)
  })

  it.each([
    'Van Gogh',
    'a watercolour',
    'a pencil sketch',
    'a Japanese woodblock print',
    'pop art',
    'an oil painting',
    'Monet',
    'film noir',
    'nobody knows whom',
  ])('in the style of %s differs visibly in over half of its pixels', async style => {
    const text = `Transform the provided photograph into the artistic style of ${style}.`
    for (const bytes of [photo, flower]) {
      const before = await sharp(bytes).resize(1200, 896, { fit: 'cover' }).png().toBuffer()
      const after = imageOf(await own.ask([inline(bytes), { text }], { imageConfig: { aspectRatio: '4:3' } }))
      expect(await changed(before, after)).toBeGreaterThan(0.5)
    }
  })

  it('changes one region on inpainting and leaves the rest', async () => {
    const text = 'In the provided picture, change only the house: it becomes a red barn. Keep everything else the same.'
    const before = await sharp(photo).resize(1200, 896, { fit: 'cover' }).png().toBuffer()
    const after = imageOf(
      await own.ask([inline(before, 'image/png'), { text }], { imageConfig: { aspectRatio: '4:3' } }),
    )
    expect(await changed(before, after, { left: 0.45, top: 0.5, right: 0.55, bottom: 0.55 })).toBeGreaterThan(0.9)
    expect(await changed(before, after, { left: 0, top: 0.1, right: 0.15, bottom: 1 })).toBeLessThan(0.02)
  })

  it('repaints where a mask is white', async () => {
    const mask = await sharp({ create: { width: 1024, height: 1024, channels: 3, background: '#000' } })
      .composite([
        {
          input: Buffer.from('<svg width="300" height="300"><rect width="300" height="300" fill="#fff"/></svg>'),
          left: 0,
          top: 724,
        },
      ])
      .png()
      .toBuffer()
    const before = await sharp(flower).resize(1024, 1024, { fit: 'cover' }).png().toBuffer()
    const label = { text: 'Image 2 is a mask: white marks the region to change:' }
    const parts = [inline(before, 'image/png'), label, inline(mask, 'image/png'), { text: 'it becomes a blue box' }]
    const after = imageOf(await own.ask(parts))
    expect(await changed(before, after, { left: 0.02, top: 0.75, right: 0.25, bottom: 0.98 })).toBeGreaterThan(0.9)
    expect(await changed(before, after, { left: 0.5, top: 0.2, right: 1, bottom: 1 })).toBeLessThan(0.02)
  })

  it('shows every input of a composition', async () => {
    const colours = ['#ff0000', '#00ff00', '#0000ff', '#ffff00']
    const inputs = await Promise.all(
      colours.map(background =>
        sharp({ create: { width: 300, height: 300, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    )
    const text = { text: 'Create one new picture out of the provided images.' }
    const pixels = await sharp(imageOf(await own.ask([...inputs.map(bytes => inline(bytes, 'image/png')), text])))
      .raw()
      .toBuffer()
    const seen = (wanted: number[]) =>
      Array.from({ length: 4096 }, (_, at) => at * 768).filter(at =>
        wanted.every((value, channel) => Math.abs((pixels[at + channel] ?? 0) - value) < 40),
      ).length
    for (const rgb of [
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
      [255, 255, 0],
    ])
      expect(seen(rgb)).toBeGreaterThan(20)
  })

  it('is drawn from a HEIC photo too, as a placeholder', async () => {
    const heic = Buffer.concat([
      Buffer.from([0, 0, 0, 24]),
      Buffer.from('ftypheic'),
      Buffer.alloc(12),
      ispe(4032, 3024),
    ])
    const { width, height } = await sharp(
      imageOf(await own.ask([inline(heic, 'image/heic'), { text: 'make it warm' }])),
    ).metadata()
    expect([width, height]).toEqual([1200, 896])
  })

  it('comes after words, or alone where only images are asked for', async () => {
    const kinds = (reply: Reply) => partsOf(reply).map(part => (part.text ? 'text' : 'image'))
    expect(kinds(await own.ask('a hat'))).toEqual(['text', 'image'])
    expect(kinds(await own.ask('a hat', { responseModalities: ['IMAGE'] }))).toEqual(['image'])
  })

  it('comes after thoughts, unsigned, where they are asked for', async () => {
    const parts = partsOf(await own.ask('a hat', { thinkingConfig: { includeThoughts: true } }))
    expect(parts.map(part => Boolean(part.thought))).toEqual([true, true, false, false])
    expect(parts.map(part => Boolean(part.thoughtSignature))).toEqual([false, false, true, true])
    expect((await sharp(bytesOf(parts[1])).metadata()).format).toBe('jpeg')
  })
})

function ispe(width: number, height: number): Buffer {
  const box = Buffer.alloc(20)
  box.writeUInt32BE(20)
  box.write('ispe', 4)
  box.writeUInt32BE(width, 12)
  box.writeUInt32BE(height, 16)
  return box
}
