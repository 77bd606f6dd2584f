import sharp, { type Sharp } from 'sharp'
import { invalid } from '../google-error.ts'
import { svg, textLines } from './lettering.ts'

/** A picture as displayed: upright, without transparency. */
export type Picture = { width: number; height: number; open: () => Sharp }

const UNREADABLE =
  'Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting'

/** Reads an input's size and sees that it can be decoded; refuses as Google does where it can't. */
export async function openPicture(bytes: Buffer): Promise<Picture> {
  try {
    const { autoOrient } = await sharp(bytes).metadata()
    const open = () =>
      sharp(bytes, { failOn: 'truncated' }).autoOrient().flatten({ background: '#fff' }).toColourspace('srgb')
    return { ...autoOrient, open }
  } catch {
    const size = heicSize(bytes)
    if (size) return drawUndeveloped(size)
    throw unreadable()
  }
}

/** Google's answer to bytes that are no image, or only half of one. */
export function unreadable() {
  return invalid(UNREADABLE)
}

type Size = { width: number; height: number }

/** The largest picture in a HEIC file by its `ispe` boxes; `undefined` where the bytes are no HEIC. */
function heicSize(bytes: Buffer): Size | undefined {
  const brand = bytes.toString('latin1', 4, 12)
  if (!/^ftyp(hei|hev|mif|msf)/.test(brand)) return
  const head = bytes.subarray(0, 2 ** 20)
  let largest: Size = { width: 0, height: 0 }
  for (let at = head.indexOf('ispe'); at >= 0 && at + 16 <= head.length; at = head.indexOf('ispe', at + 4)) {
    const size = { width: head.readUInt32BE(at + 8), height: head.readUInt32BE(at + 12) }
    if (size.width * size.height > largest.width * largest.height) largest = size
  }
  return largest.width ? largest : { width: 1200, height: 900 }
}

/** sharp carries no decoder for HEIC, so the drawing shows that one came, and how large it is. */
function drawUndeveloped({ width, height }: Size): Picture {
  const scale = 1200 / Math.max(width, height)
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))]
  const label = { x: w / 2, y: h / 2, size: 56, fill: '#5b5345', anchor: 'middle' }
  const text = textLines(['HEIC photo', `${width} × ${height}`], label)
  const paper = `<rect width="${w}" height="${h}" fill="#d9cfbd"/><rect x="30" y="30" width="${w - 60}" height="${h - 60}" fill="none" stroke="#5b5345" stroke-width="3" stroke-dasharray="14 10"/>`
  return { width, height, open: () => sharp(svg(w, h, paper + text)) }
}
