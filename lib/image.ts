/** What bytes are: type, size as displayed, whole or cut off. Reads headers only and decodes nothing, so a bomb costs nothing. */

export const IMAGE_TYPES = {
  'image/png': { extension: 'png', matches: isPng, read: readPng },
  'image/jpeg': { extension: 'jpg', matches: isJpeg, read: readJpeg },
  'image/webp': { extension: 'webp', matches: isWebp, read: readWebp },
  'image/heic': { extension: 'heic', matches: (b: Buffer) => heifKind(b) === 'heic', read: readHeif },
  'image/heif': { extension: 'heif', matches: (b: Buffer) => heifKind(b) === 'heif', read: readHeif },
} as const satisfies Record<string, Format>

export type ImageType = keyof typeof IMAGE_TYPES
type Format = { extension: string; matches: (bytes: Buffer) => boolean; read: (bytes: Buffer, file: Ends) => Header }

/** What is known of a file of which only the first bytes are at hand: how long it is, and its last bytes. */
type Ends = { sizeBytes: number; tail: Buffer }

/** `turned`: shown with width and height exchanged (EXIF orientation 5–8; HEIF rotations of 90° and 270°). */
type Header = { width: number; height: number; turned: boolean; whole: boolean }

/** An image's type by its bytes, and its pixels as displayed; or what is wrong with the bytes. */
export type Inspection =
  | { fault: undefined; mimeType: ImageType; width: number; height: number }
  | { fault: 'empty' | 'not-an-image' | 'damaged'; detail: string }

/** Believes the bytes, whatever a name or a header says. Never throws. */
export function inspectImage(bytes: Uint8Array): Inspection {
  return inspectEnds(bytes, { sizeBytes: bytes.length, tail: NOTHING })
}

/** The same for a file of which only the beginning and the end are at hand: what they don't show whole may still be so. */
export function inspectEnds(head: Uint8Array, ends: Ends): Inspection {
  const buffer = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  if (buffer.length === 0) return { fault: 'empty', detail: 'it has no bytes' }
  const mimeType = sniffImage(buffer)
  if (!mimeType) return { fault: 'not-an-image', detail: `its first bytes are ${showBytes(buffer)}` }
  const header = tryRead(() => IMAGE_TYPES[mimeType].read(buffer, ends))
  if (!header) return { fault: 'damaged', detail: `its ${mimeType} header cannot be read` }
  const { width, height, turned, whole } = header
  if (width === 0 || height === 0) return { fault: 'damaged', detail: `its header says ${width}×${height} pixels` }
  if (!whole) return { fault: 'damaged', detail: `it is a ${mimeType} whose end is missing` }
  return turned
    ? { fault: undefined, mimeType, width: height, height: width }
    : { fault: undefined, mimeType, width, height }
}

const NOTHING = Buffer.alloc(0)

/** The type that the first bytes show, or `undefined`. */
export function sniffImage(buffer: Buffer): ImageType | undefined {
  return (Object.keys(IMAGE_TYPES) as ImageType[]).find(type => IMAGE_TYPES[type].matches(buffer))
}

function showBytes(buffer: Buffer): string {
  const start = buffer.subarray(0, 16)
  const readable = start.every(byte => (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d))
  return readable ? JSON.stringify(start.toString('latin1')) : (start.toString('hex').match(/../g) ?? []).join(' ')
}

/** A header that lies about its offsets makes Buffer throw a RangeError: that is an unreadable header, not a bug. */
function tryRead(read: () => Header): Header | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof RangeError || error instanceof BadHeader) return undefined
    throw error
  }
}

class BadHeader extends Error {}

function isPng(b: Buffer): boolean {
  return b.subarray(0, 8).equals(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))
}

const END_OF_PNG = Buffer.from('\0\0\0\0IEND\xae\x42\x60\x82', 'latin1')

function readPng(b: Buffer, { tail }: Ends): Header {
  if (b.toString('latin1', 12, 16) !== 'IHDR') throw new BadHeader()
  const header = {
    width: b.readUInt32BE(16),
    height: b.readUInt32BE(20),
    turned: false,
    whole: tail.includes(END_OF_PNG),
  }
  for (let at = 8; at + 12 <= b.length; ) {
    const length = b.readUInt32BE(at)
    const type = b.toString('latin1', at + 4, at + 8)
    if (type === 'IEND') header.whole = true
    if (type === 'eXIf') header.turned = isTurned(b.subarray(at + 8, at + 8 + length))
    at += 12 + length
  }
  return header
}

function isJpeg(b: Buffer): boolean {
  return b.length > 3 && b[0] === 0xff && b[1] === 0xd8 && b[2] === 0xff
}

const START_OF_SCAN = 0xda
const END_OF_IMAGE = Buffer.from([0xff, 0xd9])

function readJpeg(b: Buffer, { tail }: Ends): Header {
  const header = { width: 0, height: 0, turned: false, whole: false }
  for (let at = 2; at + 4 <= b.length; ) {
    if (b[at] !== 0xff) throw new BadHeader()
    const marker = b.readUInt8(at + 1)
    if (marker === 0xff) {
      at += 1 // fill byte
      continue
    }
    if (marker === START_OF_SCAN) {
      // Phones append gain maps and trailers, so the end of the image need not be the end of the file.
      header.whole = b.lastIndexOf(END_OF_IMAGE) > at || tail.includes(END_OF_IMAGE)
      break
    }
    const length = b.readUInt16BE(at + 2)
    if (isStartOfFrame(marker)) {
      header.height = b.readUInt16BE(at + 5)
      header.width = b.readUInt16BE(at + 7)
    }
    if (marker === 0xe1 && b.subarray(at + 4, at + 10).equals(EXIF_MARK)) {
      header.turned = isTurned(b.subarray(at + 4, at + 2 + length))
    }
    at += 2 + length
  }
  return header
}

/** SOF0–SOF15 without DHT (C4), JPG (C8) and DAC (CC), which share the range. */
function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
}

function isWebp(b: Buffer): boolean {
  return b.toString('latin1', 0, 4) === 'RIFF' && b.toString('latin1', 8, 15) === 'WEBPVP8'
}

function readWebp(b: Buffer, { sizeBytes, tail }: Ends): Header {
  const header = { ...webpPixels(b), turned: false, whole: b.readUInt32LE(4) + 8 <= sizeBytes }
  for (let at = 12; at + 8 <= sizeBytes; ) {
    // EXIF comes behind the pixels: of a file whose middle is not at hand it lies in the tail.
    const [from, start] = at + 8 <= b.length ? [b, at] : [tail, at - (sizeBytes - tail.length)]
    if (start < 0 || start + 8 > from.length) break
    const length = from.readUInt32LE(start + 4)
    if (from.toString('latin1', start, start + 4) === 'EXIF')
      header.turned = isTurned(from.subarray(start + 8, start + 8 + length))
    at += 8 + length + (length % 2)
  }
  return header
}

function webpPixels(b: Buffer): { width: number; height: number } {
  const kind = b.toString('latin1', 12, 16)
  if (kind === 'VP8X') return { width: 1 + b.readUIntLE(24, 3), height: 1 + b.readUIntLE(27, 3) }
  if (kind === 'VP8 ' && b.readUIntBE(23, 3) === 0x9d012a)
    return { width: b.readUInt16LE(26) & 0x3fff, height: b.readUInt16LE(28) & 0x3fff }
  if (kind !== 'VP8L' || b[20] !== 0x2f) throw new BadHeader()
  const bits = b.readUInt32LE(21)
  return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) }
}

const EXIF_MARK = Buffer.from('Exif\0\0', 'latin1')

/** EXIF tag 0x0112 of the first directory: values 5–8 exchange width and height (CIPA DC-008). */
function isTurned(exif: Buffer): boolean {
  // JPEG puts this mark before EXIF; many writers of WebP do so too, though its specification doesn't.
  const tiff = exif.subarray(0, 6).equals(EXIF_MARK) ? exif.subarray(6) : exif
  if (tiff.length < 10) return false
  const little = tiff.toString('latin1', 0, 2) === 'II'
  const u16 = (at: number) => (little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at))
  const u32 = (at: number) => (little ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at))
  const directory = u32(4)
  if (directory + 2 > tiff.length) return false
  const last = Math.min(directory + 2 + u16(directory) * 12, tiff.length - 11)
  for (let entry = directory + 2; entry < last; entry += 12) {
    if (u16(entry) === 0x0112) return u16(entry + 8) >= 5 && u16(entry + 8) <= 8
  }
  return false
}

const HEIC_BRANDS = ['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis']

/** AVIF shares the container and often the brand `mif1`; Gemini does not take it. */
function heifKind(b: Buffer): 'heic' | 'heif' | undefined {
  if (b.length < 16 || b.toString('latin1', 4, 8) !== 'ftyp') return undefined
  const brands: string[] = b.toString('latin1', 16, Math.min(b.readUInt32BE(0), b.length, 256)).match(/.{4}/gs) ?? []
  const major = b.toString('latin1', 8, 12)
  if (HEIC_BRANDS.includes(major)) return 'heic'
  if (major !== 'mif1' && major !== 'msf1') return undefined
  if (brands.some(brand => HEIC_BRANDS.includes(brand))) return 'heic'
  return brands.includes('avif') ? undefined : 'heif'
}

type Box = { type: string; start: number; end: number }

/** The boxes of an ISO base media file between two offsets; `start` is behind a box's header. */
function boxesIn(b: Buffer, from: number, to: number): Box[] {
  const boxes: Box[] = []
  for (let at = from; at + 8 <= to; ) {
    const size = b.readUInt32BE(at)
    const long = size === 1
    const length = long ? Number(b.readBigUInt64BE(at + 8)) : size === 0 ? to - at : size
    if (length < 8) throw new BadHeader()
    boxes.push({ type: b.toString('latin1', at + 4, at + 8), start: at + (long ? 16 : 8), end: at + length })
    at += length
  }
  return boxes
}

/** The primary item's `ispe` (pixels) and `irot` (quarter turns), by way of `pitm`, `ipma` and `ipco` (ISO/IEC 23008-12). */
function readHeif(b: Buffer, { sizeBytes }: Ends): Header {
  const top = boxesIn(b, 0, b.length)
  const meta = find(top, 'meta')
  const inMeta = boxesIn(b, meta.start + 4, meta.end)
  const primary = find(inMeta, 'pitm')
  const primaryId = b[primary.start] === 0 ? b.readUInt16BE(primary.start + 4) : b.readUInt32BE(primary.start + 4)
  const iprp = find(inMeta, 'iprp')
  const inIprp = boxesIn(b, iprp.start, iprp.end)
  const ipco = find(inIprp, 'ipco')
  const all = boxesIn(b, ipco.start, ipco.end)
  const own = propertiesOf(b, find(inIprp, 'ipma'), primaryId).flatMap(index => all[index - 1] ?? [])
  const pixels = find(own, 'ispe')
  const rotation = own.find(box => box.type === 'irot')
  return {
    width: b.readUInt32BE(pixels.start + 4),
    height: b.readUInt32BE(pixels.start + 8),
    turned: rotation !== undefined && (b.readUInt8(rotation.start) & 1) === 1,
    whole: holdsPixels(top, inMeta) && top.every(box => box.end <= sizeBytes),
  }
}

/** The coded picture lies in `mdat`, or small ones in the `idat` of `meta`; a file may have been cut off right before it. */
function holdsPixels(top: Box[], inMeta: Box[]): boolean {
  return top.some(box => box.type === 'mdat') || inMeta.some(box => box.type === 'idat')
}

function find(boxes: Box[], type: string): Box {
  const box = boxes.find(candidate => candidate.type === type)
  if (!box) throw new BadHeader()
  return box
}

function propertiesOf(b: Buffer, ipma: Box, item: number): number[] {
  const wideIds = b.readUInt8(ipma.start) > 0
  const wideIndexes = (b.readUInt8(ipma.start + 3) & 1) === 1
  const entries = b.readUInt32BE(ipma.start + 4)
  let at = ipma.start + 8
  for (let entry = 0; entry < entries; entry += 1) {
    const id = wideIds ? b.readUInt32BE(at) : b.readUInt16BE(at)
    at += wideIds ? 4 : 2
    const count = b.readUInt8(at)
    at += 1
    const step = wideIndexes ? 2 : 1
    // The top bit says whether a reader must understand the property; the rest is its place in ipco, from 1.
    const index = (i: number) => (wideIndexes ? b.readUInt16BE(at + i * 2) & 0x7fff : b.readUInt8(at + i) & 0x7f)
    if (id === item) return Array.from({ length: count }, (_, i) => index(i))
    at += count * step
  }
  return []
}
