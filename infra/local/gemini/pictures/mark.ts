import sharp from 'sharp'
import { svg } from './lettering.ts'
import type { Raster } from './raster.ts'

const WORDS = 'stand-in, not Gemini'

type Glyph = readonly [advance: number, strokes: string]

/** The letters of the mark as strokes, twelve units high: a machine without fonts must not lose it. */
const GLYPHS: Readonly<Record<string, Glyph>> = {
  s: [6.6, 'M5.4 5Q3 3.3 1.2 4.6Q0.2 6.4 3 7Q5.9 7.6 5.1 9.2Q3.4 10.8 0.6 9.2'],
  t: [5, 'M2.4 1.6V8.4Q2.4 10 4.4 9.8M0.6 4H4.4'],
  a: [7, 'M5.5 4V10M5.5 7A2.5 3 0 1 0 5.5 7.01'],
  n: [7, 'M1 10V4M1 6.4Q1.6 4 3.4 4Q5.4 4 5.4 6.4V10'],
  d: [7, 'M5.5 0.6V10M5.5 7A2.5 3 0 1 0 5.5 7.01'],
  '-': [5, 'M0.8 7H4'],
  i: [2.8, 'M1 4V10M1 1.5V1.6'],
  ',': [2.6, 'M1.3 9.7L0.7 11.6'],
  o: [7, 'M0.6 7A2.5 3 0 1 0 5.6 7A2.5 3 0 1 0 0.6 7'],
  G: [8.8, 'M7.2 2.8Q6 1 4 1Q0.6 1 0.6 5.5Q0.6 10 4 10Q7.2 10 7.2 6H4.6'],
  e: [6.8, 'M0.8 7H5.4Q5.4 4 3.1 4Q0.7 4 0.7 7Q0.7 10 3.2 10Q4.6 10 5.3 8.9'],
  m: [10, 'M1 10V4M1 6.4Q1.6 4 3.2 4Q4.7 4 4.7 6.4V10M4.7 6.4Q5.3 4 6.9 4Q8.4 4 8.4 6.4V10'],
  ' ': [4, ''],
}

/** Says in the picture's corner who made it; changes the raster itself. */
export async function mark({ pixels, width, height }: Raster): Promise<void> {
  const size = Math.max(9, Math.round(Math.min(width, height) * 0.02))
  const words = write(WORDS)
  const scale = (size * 0.9) / 12
  const [w, h] = [Math.round(words.width * scale + size * 1.5), Math.round(size * 1.9)]
  const background = `<rect width="${w}" height="${h}" rx="${h / 2}" fill="#000" opacity="0.55"/>`
  const place = `translate(${size * 0.75} ${h / 2 - 6 * scale}) scale(${scale})`
  const lines = `<g transform="${place}" fill="none" stroke="#fff" stroke-width="1.25" stroke-linecap="round">${words.strokes}</g>`
  const plate = await sharp(svg(w, h, background + lines))
    .ensureAlpha()
    .raw()
    .toBuffer()
  const gap = Math.round(size * 0.8)
  for (let at = 0; at < w * h; at++) {
    const corner = ((gap + Math.floor(at / w)) * width + width - w - gap + (at % w)) * 3
    blend(pixels, corner, plate, at * 4, (plate[at * 4 + 3] ?? 0) / 255)
  }
}

function write(text: string): { width: number; strokes: string } {
  let width = 0
  const strokes = [...text].map(character => {
    const [advance, path] = GLYPHS[character] ?? [4, '']
    width += advance
    return `<path transform="translate(${width - advance} 0)" d="${path}"/>`
  })
  return { width, strokes: strokes.join('') }
}

/** Lays a share of one pixel over another. */
export function blend(under: Uint8Array, place: number, over: ArrayLike<number>, from: number, share: number): void {
  for (let channel = 0; channel < 3; channel++) {
    const below = under[place + channel] ?? 0
    under[place + channel] = below + ((over[from + channel] ?? 0) - below) * share
  }
}
