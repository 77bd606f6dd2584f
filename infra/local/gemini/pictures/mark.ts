import sharp from 'sharp'
import { svg, textLines } from './lettering.ts'
import type { Raster } from './raster.ts'

const WORDS = 'stand-in, not Gemini'

/** Says in the picture's corner who made it; changes the raster itself. */
export async function mark({ pixels, width, height }: Raster): Promise<void> {
  const size = Math.max(9, Math.round(Math.min(width, height) * 0.02))
  const [w, h] = [Math.round(size * 0.6 * WORDS.length), Math.round(size * 1.9)]
  const background = `<rect width="${w}" height="${h}" rx="${h / 2}" fill="#000" opacity="0.55"/>`
  const words = textLines([WORDS], {
    x: w / 2,
    y: h * 0.66,
    size,
    fill: '#fff',
    family: 'sans-serif',
    anchor: 'middle',
  })
  const plate = await sharp(svg(w, h, background + words))
    .ensureAlpha()
    .raw()
    .toBuffer()
  const gap = Math.round(size * 0.8)
  for (let at = 0; at < w * h; at++) {
    const place = ((gap + Math.floor(at / w)) * width + width - w - gap + (at % w)) * 3
    blend(pixels, place, plate, at * 4, (plate[at * 4 + 3] ?? 0) / 255)
  }
}

/** Lays a share of one pixel over another. */
export function blend(under: Uint8Array, place: number, over: ArrayLike<number>, from: number, share: number): void {
  for (let channel = 0; channel < 3; channel++) {
    const below = under[place + channel] ?? 0
    under[place + channel] = below + ((over[from + channel] ?? 0) - below) * share
  }
}
