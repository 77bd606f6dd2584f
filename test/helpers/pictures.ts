import sharp from 'sharp'

export type Wish = {
  width?: number
  height?: number
  /** EXIF's, 1–8. */
  orientation?: number
  progressive?: boolean
  lossless?: boolean
  quality?: number
  compressionLevel?: number
  alpha?: boolean
  /** Noise instead of one colour, so that the file has some length. */
  noise?: boolean
}

/** A real picture, 30×20 where nothing else is wished. */
export async function drawPicture(format: 'png' | 'jpeg' | 'webp', wish: Wish = {}): Promise<Buffer> {
  const { width = 30, height = 20, orientation, alpha = false, noise = false, ...options } = wish
  const channels = alpha ? 4 : 3
  const image = noise
    ? sharp({
        create: { width, height, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 40 }, background: '#000' },
      })
    : sharp({ create: { width, height, channels, background: { r: 200, g: 90, b: 30, alpha: 0.5 } } })
  const marked = orientation === undefined ? image : image.withMetadata({ orientation })
  return marked[format](options).toBuffer()
}

function box(type: string, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content)
  return Buffer.concat([u32(body.length + 8), Buffer.from(type, 'latin1'), body])
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const NO_FLAGS = u32(0)

export type HeifWish = {
  brands?: string[]
  width?: number
  height?: number
  /** Quarter turns, counter-clockwise. */
  turns?: number
  /** Item ids of 32 bits and property numbers of 15. */
  wide?: boolean
  /** A thumbnail's `ispe` before the picture's own. */
  thumbnail?: boolean
}

/** The smallest HEIF container whose primary item has pixels and a rotation (ISO/IEC 23008-12); its picture is no picture. */
export function buildHeif({ brands = ['heic', 'mif1'], width = 30, height = 20, ...wish }: HeifWish = {}): Buffer {
  const { turns, wide = false, thumbnail = false } = wish
  const [major = 'heic', ...compatible] = brands
  const ispe = (w: number, h: number) => box('ispe', NO_FLAGS, u32(w), u32(h))
  const properties = [
    ...(thumbnail ? [ispe(4, 3)] : []),
    ispe(width, height),
    ...(turns === undefined ? [] : [box('irot', Buffer.from([turns]))]),
  ]
  const id = (value: number) => (wide ? u32(value) : u16(value))
  const place = (value: number) => (wide ? u16(0x8000 | value) : Buffer.from([0x80 | value]))
  const associate = (item: number, places: number[]) =>
    Buffer.concat([id(item), Buffer.from([places.length]), ...places.map(place)])
  const first = thumbnail ? 2 : 1
  const own = [first, ...(turns === undefined ? [] : [first + 1])]
  const items = [...(thumbnail ? [associate(1, [1])] : []), associate(2, own)]
  const ipma = box('ipma', Buffer.from([wide ? 1 : 0, 0, 0, wide ? 1 : 0]), u32(items.length), ...items)
  const pitm = box('pitm', Buffer.from([wide ? 1 : 0, 0, 0, 0]), id(2))
  return Buffer.concat([
    box('ftyp', Buffer.from(major, 'latin1'), NO_FLAGS, Buffer.from([major, ...compatible].join(''), 'latin1')),
    box('meta', NO_FLAGS, box('hdlr', Buffer.alloc(25)), pitm, box('iprp', box('ipco', ...properties), ipma)),
    box('mdat', Buffer.from('not decoded')),
  ])
}
