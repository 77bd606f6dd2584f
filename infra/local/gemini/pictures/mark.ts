import sharp, { type Sharp } from 'sharp'
import { svg, textLines } from './lettering.ts'
import type { Frame } from './scene.ts'

const WORDS = 'stand-in, not Gemini'

/** Says on the picture, in a corner, who made it. */
export async function mark(picture: Sharp, { width, height }: Frame): Promise<Sharp> {
  const size = Math.max(9, Math.round(Math.min(width, height) * 0.02))
  const [w, h] = [Math.round(size * 0.6 * WORDS.length), Math.round(size * 1.9)]
  const plate = `<rect width="${w}" height="${h}" rx="${h / 2}" fill="#000" opacity="0.55"/>`
  const words = textLines([WORDS], {
    x: w / 2,
    y: h * 0.66,
    size,
    fill: '#fff',
    family: 'sans-serif',
    anchor: 'middle',
  })
  const gap = Math.round(size * 0.8)
  const input = await sharp(svg(w, h, plate + words))
    .png()
    .toBuffer()
  // A pipeline composites once, so what the painter laid on must be pixels by now.
  const { data, info } = await picture.removeAlpha().raw().toBuffer({ resolveWithObject: true })
  const raw = { width: info.width, height: info.height, channels: info.channels }
  return sharp(data, { raw }).composite([{ input, left: width - w - gap, top: gap }])
}
