import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { inspectEnds, inspectImage } from '../lib/image.ts'
import { buildHeif, drawPicture } from './helpers/pictures.ts'

const inspect = (bytes: Uint8Array | string) => inspectImage(typeof bytes === 'string' ? Buffer.from(bytes) : bytes)

function shown(bytes: Uint8Array): string {
  const image = inspect(bytes)
  return image.fault ? `${image.fault}: ${image.detail}` : `${image.mimeType} ${image.width}×${image.height}`
}

describe('a real picture’s type and pixels are read from its bytes', () => {
  test.each([
    ['png', {}, 'image/png 30×20'],
    ['png', { alpha: true }, 'image/png 30×20'],
    ['png', { progressive: true }, 'image/png 30×20'],
    ['png', { width: 1, height: 1 }, 'image/png 1×1'],
    ['jpeg', {}, 'image/jpeg 30×20'],
    ['jpeg', { progressive: true }, 'image/jpeg 30×20'],
    ['jpeg', { width: 5000, height: 300 }, 'image/jpeg 5000×300'],
    ['webp', {}, 'image/webp 30×20'],
    ['webp', { lossless: true }, 'image/webp 30×20'],
    ['webp', { alpha: true }, 'image/webp 30×20'],
    ['webp', { lossless: true, alpha: true }, 'image/webp 30×20'],
    ['webp', { width: 16_383, height: 1 }, 'image/webp 16383×1'],
    ['webp', { width: 1, height: 16_383, lossless: true }, 'image/webp 1×16383'],
  ] as const)('%s %j: %s', async (format, wish, facts) => {
    expect(shown(await drawPicture(format, wish))).toBe(facts)
  })
})

describe('a picture’s size is that of how it is shown', () => {
  const formats = ['jpeg', 'webp', 'png'] as const
  const turned = [5, 6, 7, 8]
  const cases = formats.flatMap(format =>
    [1, 2, 3, 4, 5, 6, 7, 8].map(
      orientation => [format, orientation, turned.includes(orientation) ? '20×30' : '30×20'] as const,
    ),
  )
  test.each(cases)('%s with orientation %d: %s', async (format, orientation, size) => {
    expect(shown(await drawPicture(format, { orientation }))).toBe(`image/${format} ${size}`)
  })

  test('in EXIF of either byte order', async () => {
    const plain = await drawPicture('jpeg')
    const exif = (tiff: string) => {
      const body = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), Buffer.from(tiff, 'hex')])
      const head = Buffer.from([0xff, 0xe1, 0, body.length + 2])
      return Buffer.concat([plain.subarray(0, 2), head, body, plain.subarray(2)])
    }
    const big = '4d4d002a00000008' + '0001' + '011200030000000100060000' + '00000000'
    const little = '49492a0008000000' + '0100' + '120103000100000006000000' + '00000000'
    const upright = '4d4d002a00000008' + '0001' + '011200030000000100010000' + '00000000'
    expect([big, little, upright].map(tiff => shown(exif(tiff)))).toEqual([
      'image/jpeg 20×30',
      'image/jpeg 20×30',
      'image/jpeg 30×20',
    ])
  })

  test.each([
    ['4d4d', 'breaks off'],
    ['4d4d002a7fffffff', 'points behind its end'],
    ['4d4d002a00000008ffff', 'promises entries that are not there'],
    ['00000000000000000000000000000000', 'is nothing but zeros'],
  ])('EXIF %s, which %s, changes nothing', async tiff => {
    const plain = await drawPicture('jpeg')
    const body = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), Buffer.from(tiff, 'hex')])
    const bytes = Buffer.concat([
      plain.subarray(0, 2),
      Buffer.from([0xff, 0xe1, 0, body.length + 2]),
      body,
      plain.subarray(2),
    ])
    expect(shown(bytes)).toBe('image/jpeg 30×20')
  })

  test.each([
    [0, '30×20'],
    [1, '20×30'],
    [2, '30×20'],
    [3, '20×30'],
  ])('HEIC with %d quarter turns: %s', (turns, size) => {
    expect(shown(buildHeif({ turns }))).toBe(`image/heic ${size}`)
  })
})

describe('HEIC and HEIF', () => {
  test.each([
    [['heic', 'mif1'], 'image/heic'],
    [['heix', 'mif1'], 'image/heic'],
    [['mif1', 'heic'], 'image/heic'],
    [['msf1', 'hevc'], 'image/heic'],
    [['mif1', 'miaf'], 'image/heif'],
    [['mif1'], 'image/heif'],
  ])('brands %j: %s', (brands, type) => {
    expect(shown(buildHeif({ brands }))).toBe(`${type} 30×20`)
  })

  test('the pixels are those of the primary item, not of its thumbnail', () => {
    expect(shown(buildHeif({ thumbnail: true, width: 4032, height: 3024, turns: 1 }))).toBe('image/heic 3024×4032')
  })

  test('item ids and property numbers may be wide', () => {
    expect(shown(buildHeif({ wide: true, thumbnail: true, turns: 3 }))).toBe('image/heic 20×30')
  })

  test.each([
    [['avif', 'mif1']],
    [['avis', 'msf1']],
    [['mif1', 'avif']],
    [['mif1', 'miaf', 'avif']],
    [['isom', 'mp42']],
    [['qt  ', 'qt  ']],
  ])('brands %j are none that Gemini takes', brands => {
    expect(shown(buildHeif({ brands }))).toMatch(/^not-an-image: its first bytes are 00 00 00/)
  })

  test('a container without the primary item’s pixels is damaged', () => {
    const whole = buildHeif()
    for (const type of ['meta', 'pitm', 'iprp', 'ipco', 'ispe', 'ipma']) {
      const bytes = Buffer.from(whole)
      bytes.write('free', bytes.indexOf(type), 'latin1')
      expect(shown(bytes), type).toBe('damaged: its image/heic header cannot be read')
    }
  })
})

describe('what is no picture is told by what it begins with', () => {
  test.each([
    ['<svg xmlns="http://www.w3.org/2000/svg"/>', 'not-an-image: its first bytes are "<svg xmlns=\\"http"'],
    ['<!doctype html><html></html>', 'not-an-image: its first bytes are "<!doctype html><"'],
    ['Hello', 'not-an-image: its first bytes are "Hello"'],
    ['\x00\x01', 'not-an-image: its first bytes are 00 01'],
    ['GIF89a\x01\x00\x01\x00', 'not-an-image: its first bytes are 47 49 46 38 39 61 01 00 01 00'],
    [
      'RIFF\x24\x00\x00\x00WAVEfmt ',
      'not-an-image: its first bytes are 52 49 46 46 24 00 00 00 57 41 56 45 66 6d 74 20',
    ],
    ['%PDF-1.7', 'not-an-image: its first bytes are "%PDF-1.7"'],
    ['', 'empty: it has no bytes'],
  ])('%j', (text, said) => {
    expect(shown(Buffer.from(text, 'latin1'))).toBe(said)
  })

  test('a name or a declared type is never asked: only bytes go in', () => {
    expect(inspectImage.length).toBe(1)
  })
})

describe('a header that makes no sense is damage', () => {
  const png = (width: number, height: number) => {
    const bytes = Buffer.alloc(57)
    bytes.write('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1')
    bytes.writeUInt32BE(width, 16)
    bytes.writeUInt32BE(height, 20)
    bytes.write('IEND', 49, 'latin1')
    return bytes
  }
  const webp = (chunk: string, content: string) => {
    const body = Buffer.from(content, 'hex')
    const bytes = Buffer.alloc(20 + body.length)
    bytes.write(`RIFF\0\0\0\0WEBP${chunk}`, 'latin1')
    bytes.writeUInt32LE(bytes.length - 8, 4)
    bytes.writeUInt32LE(body.length, 16)
    body.copy(bytes, 20)
    return bytes
  }
  test.each<[string, Buffer, string]>([
    ['a PNG without a header', Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rNOPE', 'latin1'), 'header cannot be read'],
    ['a PNG of nothing but its mark', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), 'header cannot be read'],
    ['a PNG of no height', png(30, 0), 'its header says 30×0 pixels'],
    ['a JPEG of nothing but its mark', Buffer.from([0xff, 0xd8, 0xff, 0xe0]), 'its header'],
    ['a JPEG that goes on as text', Buffer.from('\xff\xd8\xffE\0\x04abHello', 'latin1'), 'header cannot be read'],
    ['a JPEG without a frame', Buffer.from('ffd8ffda000c0000ffd9', 'hex'), 'its header says 0×0 pixels'],
    ['a WebP of nothing but its mark', Buffer.from('RIFF\x04\0\0\0WEBPVP8 ', 'latin1'), 'header cannot be read'],
    ['a lossy WebP of garbage', webp('VP8 ', '0102030405060708090a0b0c'), 'header cannot be read'],
    ['a lossless WebP of garbage', webp('VP8L', '0102030405060708090a0b0c'), 'header cannot be read'],
    ['a WebP of a kind that is none', webp('VP8?', '0102030405060708090a0b0c'), 'header cannot be read'],
    ['a lossy WebP of no width', webp('VP8 ', '0102039d012a00001400aaaa'), 'its header says 0×20 pixels'],
  ])('%s', (_, bytes, detail) => {
    const image = inspect(bytes)
    expect(image.fault).toBe('damaged')
    expect(image).toMatchObject({ detail: expect.stringContaining(detail) })
  })
})

test('a bomb costs nothing: its pixels are read, never decoded', () => {
  const chunk = (type: string, data: Buffer) => {
    const bytes = Buffer.alloc(12 + data.length)
    bytes.writeUInt32BE(data.length)
    bytes.write(type, 4, 'latin1')
    data.copy(bytes, 8)
    return bytes
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(100_000, 0)
  header.writeUInt32BE(100_000, 4)
  const bytes = Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1_000_000))),
    chunk('IEND', Buffer.alloc(0)),
  ])
  expect(shown(bytes)).toBe('image/png 100000×100000')
})

test('what phones append behind the picture does not damage it', async () => {
  const jpeg = await drawPicture('jpeg')
  expect(shown(Buffer.concat([jpeg, await drawPicture('jpeg'), Buffer.from('MotionPhoto_Data')]))).toBe(
    'image/jpeg 30×20',
  )
  expect(shown(Buffer.concat([await drawPicture('png'), Buffer.from('trailer')]))).toBe('image/png 30×20')
})

test('bytes in the middle of a larger memory are read from where they begin', async () => {
  const png = await drawPicture('png')
  const memory = new Uint8Array(png.length + 100)
  memory.set(png, 50)
  expect(shown(memory.subarray(50, 50 + png.length))).toBe('image/png 30×20')
})

describe('whatever the bytes are, nothing is thrown', () => {
  let pictures: Buffer[]
  beforeAll(async () => {
    pictures = [
      await drawPicture('png', { noise: true }),
      await drawPicture('png', { orientation: 6 }),
      await drawPicture('jpeg', { noise: true, orientation: 6 }),
      await drawPicture('jpeg', { noise: true, progressive: true }),
      await drawPicture('webp', { noise: true }),
      await drawPicture('webp', { lossless: true, noise: true }),
      await drawPicture('webp', { alpha: true, orientation: 6 }),
      buildHeif({ turns: 1, thumbnail: true }),
      buildHeif({ turns: 1, wide: true, brands: ['mif1'] }),
    ]
  })

  /** A picture, or a fault with words; throws for anything else. */
  function judge(bytes: Uint8Array): void {
    const image = inspect(bytes)
    if (image.fault) expect(image.detail).toMatch(/^its? .+/)
    else expect(image.width > 0 && image.height > 0 && Number.isInteger(image.width * image.height)).toBe(true)
  }

  test('random bytes behind any beginning', () => {
    const beginning = fc.constantFrom(
      '',
      '\x89PNG\r\n\x1a\n',
      '\x89PNG\r\n\x1a\n\0\0\0\rIHDR',
      '\xff\xd8\xff',
      '\xff\xd8\xff\xe1\x00\x20Exif\0\0MM\0*',
      'RIFF\x20\0\0\0WEBPVP8 ',
      'RIFF\x20\0\0\0WEBPVP8L',
      'RIFF\x20\0\0\0WEBPVP8X',
      '\0\0\0\x18ftypheic\0\0\0\0heicmif1',
      '\0\0\0\x18ftypmif1\0\0\0\0mif1heic\0\0\0\x60meta\0\0\0\0\0\0\0\x0epitm\0\0\0\0\0\x01\0\0\0\x30iprp',
    )
    fc.assert(
      fc.property(beginning, fc.uint8Array({ maxLength: 200 }), (start, rest) =>
        judge(Buffer.concat([Buffer.from(start, 'latin1'), rest])),
      ),
      { numRuns: 2000 },
    )
  })

  test('real pictures with bytes changed', () => {
    const changes = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(fc.nat(8), changes, (which, list) => {
        const bytes = Buffer.from(pictures[which] as Buffer)
        for (const [at, value] of list) if (at < bytes.length) bytes[at] = value
        judge(bytes)
      }),
      { numRuns: 3000 },
    )
  })

  test('real pictures cut off anywhere: none of them passes for a whole one', () => {
    for (const [which, picture] of pictures.entries()) {
      for (let length = 0; length < picture.length; length += 1) {
        const { fault } = inspect(picture.subarray(0, length))
        if (fault === undefined) expect.fail(`picture ${which} passes with ${length} of ${picture.length} bytes`)
      }
    }
  })
})

describe('a file of which only the two ends are at hand', () => {
  const ends = (file: Buffer, headBytes = 2000, tailBytes = 600) =>
    inspectEnds(file.subarray(0, headBytes), { sizeBytes: file.length, tail: file.subarray(-tailBytes) })
  const noise = (format: 'png' | 'jpeg' | 'webp', orientation: number) =>
    drawPicture(format, { width: 300, height: 200, noise: true, orientation })

  test.each(['png', 'jpeg', 'webp'] as const)('a whole %s is told as if all of it were', async format => {
    for (const orientation of [1, 6]) {
      const file = await noise(format, orientation)
      expect(file.length).toBeGreaterThan(6000)
      expect(ends(file)).toEqual(inspectImage(file))
    }
  })

  test.each(['png', 'jpeg', 'webp'] as const)('a %s that is cut off is not whole', async format => {
    const file = await noise(format, 1)
    expect(ends(file.subarray(0, -20))).toMatchObject({ fault: 'damaged' })
  })

  test('a HEIC’s boxes may end behind what is at hand, but not behind the file', () => {
    const heic = buildHeif()
    const headBytes = heic.length - 4
    expect(ends(heic, headBytes, 2)).toEqual(inspectImage(heic))
    expect(ends(heic.subarray(0, -1), headBytes, 2)).toMatchObject({ fault: 'damaged' })
  })
})
