import sharp from 'sharp'
import { type Chance, createChance, pick } from './chance.ts'
import { colourIn, type Palette, pickPalette } from './colours.ts'
import { svg, textLines, wrap } from './lettering.ts'
import { type Frame, type Raster, toRaster } from './raster.ts'
import { drawEmblem, drawRidges, drawShapes, drawStill } from './scenery.ts'

export type Scenery = (frame: Frame, palette: Palette, chance: Chance) => string

/** What is drawn by the prompt's words, the first row that fits; without one, chance decides. */
const SCENES: readonly (readonly [words: RegExp, scenery: Scenery])[] = [
  [/\b(sticker|icon|emblem|badge|logo)\b/i, drawEmblem],
  [/\b(product|studio|cup|mug|bottle|vase|perfume|minimalist)\b/i, drawStill],
  [/\b(mountain|landscape|valley|sunset|sunrise|sea|ocean|lake|forest|sky|weather|alpine|hill)/i, drawRidges],
  [/\b(poster|abstract|pattern|comic|panel|geometric|infographic)/i, drawShapes],
]

/** A picture made of words alone: scenery by what they name, colours by their hash, and the words themselves. */
export function drawScene(prompt: string, frame: Frame): Promise<Raster> {
  const chance = createChance(prompt)
  const scenery = SCENES.find(([words]) => words.test(prompt))?.[1] ?? pick(chance, [drawRidges, drawShapes, drawStill])
  const [ink, deep, middle, light, accent] = pickPalette(chance)
  const palette: Palette = [ink, deep, middle, light, colourIn(prompt) ?? accent]
  return toRaster(
    sharp(svg(frame.width, frame.height, scenery(frame, palette, chance) + caption(prompt, frame, palette))),
  )
}

const QUOTED = /["“„«]([^"”“»]{1,60})["”“»]/

/** The words asked for stand large; the prompt's beginning stands small on a band below. */
function caption(prompt: string, { width, height }: Frame, [ink, , , light]: Palette): string {
  const unit = Math.min(width, height)
  const small = unit * 0.026
  const columns = Math.max(12, Math.floor((width * 0.72) / (small * 0.56)))
  const lines = wrap(prompt || 'no words', columns, 3)
  const bandHeight = small * (1.3 * lines.length + 1.9)
  const top = height - bandHeight
  const band = `<rect y="${top}" width="${width}" height="${bandHeight}" fill="${light}"/>`
  const words = textLines(lines, { x: unit * 0.045, y: top + small * 1.75, size: small, fill: ink })
  return title(prompt.match(QUOTED)?.[1], { width, height }, [ink, light]) + band + words
}

function title(words: string | undefined, { width, height }: Frame, [ink, light]: readonly [string, string]): string {
  if (!words) return ''
  const size = Math.min(Math.min(width, height) * 0.12, (width * 0.8) / (words.length * 0.7))
  const [x, y, plateWidth] = [width / 2, height * 0.22, words.length * size * 0.7 + size]
  const plate = `<rect x="${x - plateWidth / 2}" y="${y - size * 1.15}" width="${plateWidth}" height="${size * 1.65}" fill="${light}"/>`
  return plate + textLines([words], { x, y, size, fill: ink, family: 'serif', weight: 700, anchor: 'middle' })
}
