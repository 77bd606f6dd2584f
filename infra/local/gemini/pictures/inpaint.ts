import { lightness } from './brush.ts'
import { type Chance, createChance } from './chance.ts'
import { colourIn, pickPalette, toRgb } from './colours.ts'
import { blend } from './mark.ts'
import type { Picture } from './open.ts'
import { type Frame, type Raster, toRaster } from './raster.ts'

/** The share of each pixel, 0 to 1, that is repainted. */
type Region = (x: number, y: number) => number

/** The picture with one region repainted in the colour that the words name; a mask says where, else an ellipse does. */
export async function inpaint(prompt: string, picture: Picture, frame: Frame, mask?: Picture): Promise<Raster> {
  const chance = createChance(prompt)
  const colour = toRgb(colourIn(prompt) ?? pickPalette(chance)[4])
  const photo = await toRaster(picture.open().resize({ ...frame, fit: 'cover' }))
  const region = mask ? await maskRegion(mask, frame) : ellipseRegion(frame, chance)
  const thread = Math.max(6, Math.round(Math.min(frame.width, frame.height) / 60))
  const paint = new Uint8ClampedArray(3)
  for (let y = 0; y < frame.height; y++) {
    for (let x = 0; x < frame.width; x++) {
      const share = region(x, y)
      if (!share) continue
      const at = (y * frame.width + x) * 3
      const shine = 0.35 + (lightness(photo.pixels, at) / 255) * 0.75 + weave(x, y, thread)
      for (let channel = 0; channel < 3; channel++) paint[channel] = (colour[channel] ?? 0) * shine + 18
      blend(photo.pixels, at, paint, 0, share)
    }
  }
  return photo
}

/** A quilted weave: a repainted region is to be seen as one, whatever colour was there. */
function weave(x: number, y: number, thread: number): number {
  const [across, along] = [(x + y) % (4 * thread), (x - y + 1e5) % (4 * thread)]
  const seam = Math.min(across, along) < thread / 4
  return seam
    ? -0.22
    : 0.16 * (Math.sin((across * Math.PI) / (4 * thread)) + Math.sin((along * Math.PI) / (4 * thread)))
}

async function maskRegion(mask: Picture, frame: Frame): Promise<Region> {
  const { pixels } = await toRaster(mask.open().resize({ ...frame, fit: 'cover' }))
  return (x, y) => (pixels[(y * frame.width + x) * 3] ?? 0) / 255
}

function ellipseRegion({ width, height }: Frame, chance: Chance): Region {
  const [centreX, centreY] = [width * (0.4 + chance() * 0.2), height * (0.45 + chance() * 0.15)]
  return (x, y) => {
    const distance = Math.hypot((x - centreX) / (width * 0.21), (y - centreY) / (height * 0.24))
    return Math.max(0, Math.min(1, (1 - distance) * 16))
  }
}
