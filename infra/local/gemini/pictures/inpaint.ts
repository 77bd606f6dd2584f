import sharp, { type Sharp } from 'sharp'
import { createChance } from './chance.ts'
import { colourIn, pickPalette, toRgb } from './colours.ts'
import { svg } from './lettering.ts'
import type { Picture } from './open.ts'
import type { Frame } from './scene.ts'

/** The picture with one region repainted in the colour that the words name; a mask says where, else an ellipse does. */
export async function inpaint(prompt: string, picture: Picture, frame: Frame, mask?: Picture): Promise<Sharp> {
  const { width, height } = frame
  const chance = createChance(prompt)
  const colour = colourIn(prompt) ?? pickPalette(chance)[4]
  const raw = { width, height, channels: 3 as const }
  const photo = await picture.open().resize(width, height, { fit: 'cover' }).removeAlpha().raw().toBuffer()
  const region = mask ? await maskRegion(mask, frame) : await ellipseRegion(frame, chance)
  const [red, green, blue] = toRgb(colour)
  const patch = await sharp(photo, { raw })
    .greyscale()
    .normalise()
    .linear(0.75, 40)
    .tint({ r: red, g: green, b: blue })
    .composite([{ input: weave(frame, colour) }])
    .removeAlpha()
    .raw()
    .toBuffer()
  for (let at = 0; at < photo.length; at++) {
    const share = (region[Math.floor(at / 3)] ?? 0) / 255
    if (share) photo[at] = (photo[at] ?? 0) * (1 - share) + (patch[at] ?? 0) * share
  }
  return sharp(photo, { raw })
}

/** A fine diagonal weave: a repainted region is to be seen as one, whatever colour was there. */
function weave({ width, height }: Frame, colour: string): Buffer {
  const pattern = `<pattern id="weave" width="18" height="18" patternUnits="userSpaceOnUse" patternTransform="rotate(35)"><rect width="18" height="18" fill="${colour}" opacity="0.38"/><rect width="18" height="7" fill="${colour}" opacity="0.5"/></pattern>`
  return svg(width, height, `<defs>${pattern}</defs><rect width="${width}" height="${height}" fill="url(#weave)"/>`)
}

function maskRegion(mask: Picture, { width, height }: Frame): Promise<Buffer> {
  return mask.open().resize(width, height, { fit: 'cover' }).greyscale().toColourspace('b-w').raw().toBuffer()
}

function ellipseRegion({ width, height }: Frame, chance: () => number): Promise<Buffer> {
  const [x, y] = [width * (0.4 + chance() * 0.2), height * (0.45 + chance() * 0.15)]
  const fade =
    '<radialGradient id="fade"><stop offset="0.9" stop-color="#fff"/><stop offset="1" stop-color="#000"/></radialGradient>'
  const ellipse = `<ellipse cx="${x}" cy="${y}" rx="${width * 0.21}" ry="${height * 0.24}" fill="url(#fade)"/>`
  const shape = svg(width, height, `<defs>${fade}</defs><rect width="${width}" height="${height}"/>${ellipse}`)
  return sharp(shape).removeAlpha().greyscale().toColourspace('b-w').raw().toBuffer()
}
