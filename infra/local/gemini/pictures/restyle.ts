import { flow, flowField, lightness } from './brush.ts'
import { createChance, pick } from './chance.ts'
import { type Rgb, toRgb } from './colours.ts'
import type { Picture } from './open.ts'
import { type Frame, fromRaster, type Raster, toRaster } from './raster.ts'

/** How a style is laid on. Shares run from 0 (nothing) to 1 (all). */
type Style = {
  /** Steps that a stroke of the brush runs each way, at half of 1K. */
  stroke: number
  /** How far strokes stand apart in lightness. */
  bristle: number
  /** Shades a colour is cut into. */
  shades: number
  saturation: number
  /** Colours from dark to light, and the share that they replace. */
  tint: readonly [share: number, ...colours: string[]]
  /** How dark the lines along edges are drawn. */
  line: number
}

const STYLES = {
  starry: {
    stroke: 7,
    bristle: 0.42,
    shades: 9,
    saturation: 1.9,
    tint: [0.52, '#0b1b4d', '#1f5fa8', '#6fb7c9', '#f6d860', '#fff3b0'],
    line: 0.5,
  },
  oil: {
    stroke: 7,
    bristle: 0.35,
    shades: 8,
    saturation: 1.7,
    tint: [0.38, '#2a1408', '#8a4b1f', '#d99a4e', '#fbe9c0'],
    line: 0.6,
  },
  impression: {
    stroke: 4,
    bristle: 0.6,
    shades: 7,
    saturation: 1.8,
    tint: [0.8, '#2d2a6e', '#4f74c4', '#86c4b8', '#f2a9c4', '#fff2a8'],
    line: 0,
  },
  watercolour: {
    stroke: 3,
    bristle: 0.06,
    shades: 7,
    saturation: 1.5,
    tint: [0.8, '#1d4468', '#3f8fb0', '#9fcfd2', '#d3ecee'],
    line: 0.45,
  },
  pencil: {
    stroke: 2,
    bristle: 0.45,
    shades: 5,
    saturation: 0,
    tint: [0.85, '#2b2b2f', '#aaa69f', '#ece8e0', '#fbf9f4'],
    line: 1.5,
  },
  woodcut: {
    stroke: 1,
    bristle: 0,
    shades: 4,
    saturation: 1.2,
    tint: [0.8, '#0d1f3a', '#2a6f9e', '#e3b566', '#f6d694'],
    line: 1.3,
  },
  pop: {
    stroke: 1,
    bristle: 0,
    shades: 3,
    saturation: 2.6,
    tint: [0.7, '#1a1446', '#d7263d', '#f9c80e', '#fff8e0'],
    line: 1.2,
  },
  noir: {
    stroke: 1,
    bristle: 0.1,
    shades: 4,
    saturation: 0,
    tint: [0.95, '#000004', '#1c2230', '#b9c6d6', '#dbe8f8'],
    line: 0.9,
  },
} as const satisfies Record<string, Style>

const NAMES: readonly (readonly [words: RegExp, style: Style])[] = [
  [/van gogh|starry|swirl|expressionis/i, STYLES.starry],
  [/impressionis|monet|renoir|pointillis|seurat/i, STYLES.impression],
  [/water ?colou?r|aquarell|gouache|wash\b/i, STYLES.watercolour],
  [/pencil|charcoal|sketch|graphite|engraving|etching|line art/i, STYLES.pencil],
  [/wood ?(cut|block)|ukiyo|hokusai|linocut|japanese print|risograph/i, STYLES.woodcut],
  [/pop art|warhol|comic|cartoon|anime|poster|screen ?print|lichtenstein/i, STYLES.pop],
  [/noir|black.and.white|monochrome|ink\b/i, STYLES.noir],
  [/oil|impasto|rembrandt|vermeer|baroque|renaissance|painting/i, STYLES.oil],
]

/** Strokes are laid at this many pixels and then enlarged: paint has no finer detail. */
const PAINT_PIXELS = 470 * 470

/** Strokes begin and end beyond the edge, as they would on a canvas; the rim is cut off. */
const MARGIN = { top: 12, bottom: 12, left: 12, right: 12, extendWith: 'mirror' } as const

/** The picture painted anew in the style that the words name, or one by chance; a reference lends its colours. */
export async function restyle(prompt: string, picture: Picture, frame: Frame, reference?: Picture): Promise<Raster> {
  const style =
    NAMES.find(([words]) => words.test(prompt))?.[1] ??
    pick<Style>(createChance(prompt), [STYLES.oil, STYLES.starry, STYLES.woodcut, STYLES.pop])
  const scale = Math.min(1, Math.sqrt(PAINT_PIXELS / (frame.width * frame.height)))
  const [width, height] = [Math.round(frame.width * scale), Math.round(frame.height * scale)]
  const photo = await toRaster(picture.open().resize(width, height, { fit: 'cover' }).blur(0.8))
  const canvas = await toRaster(fromRaster(photo).extend(MARGIN))
  const [share, ...colours] = style.tint
  const ramp = reference ? await coloursOf(reference) : colours.map(toRgb)
  const painted = paint(canvas, style, toRamp(ramp), reference ? 0.7 : share)
  const { left, top } = MARGIN
  return toRaster(
    fromRaster(painted)
      .extract({ left, top, width, height })
      .resize({ ...frame, fit: 'fill', kernel: 'cubic' }),
  )
}

function paint(photo: Raster, style: Style, ramp: Uint8Array, share: number): Raster {
  const field = flowField(photo)
  const painted = flow(photo, field, style.stroke, style.bristle)
  const { pixels } = painted
  const step = 255 / (style.shades - 1)
  for (let at = 0, pixel = 0; at < pixels.length; at += 3, pixel++) {
    const light = lightness(pixels, at)
    const shade = Math.min(255, Math.round(light / step) * step)
    const line = 1 - Math.min(0.85, (field.strength[pixel] ?? 0) * style.line)
    for (let channel = 0; channel < 3; channel++) {
      const vivid = shade + ((pixels[at + channel] ?? 0) - light) * style.saturation
      const tinted = vivid + ((ramp[Math.round(light) * 3 + channel] ?? 0) - vivid) * share
      pixels[at + channel] = Math.max(0, Math.min(255, tinted * line))
    }
  }
  return painted
}

/** The colour for each of 256 shades of light. */
function toRamp(colours: readonly Rgb[]): Uint8Array {
  const ramp = new Uint8Array(256 * 3)
  for (let light = 0; light < 256; light++) {
    const place = (light / 255) * (colours.length - 1)
    const low = colours[Math.floor(place)] ?? [0, 0, 0]
    const high = colours[Math.ceil(place)] ?? low
    const between = place % 1
    for (const channel of [0, 1, 2] as const)
      ramp[light * 3 + channel] = low[channel] + (high[channel] - low[channel]) * between
  }
  return ramp
}

/** Six colours of a picture, from dark to light. */
async function coloursOf(picture: Picture): Promise<Rgb[]> {
  const pixels = await picture.open().resize(24, 24, { fit: 'fill' }).removeAlpha().raw().toBuffer()
  const places = Array.from({ length: pixels.length / 3 }, (_, at) => at * 3)
  const sorted = places.toSorted((a, b) => lightness(pixels, a) - lightness(pixels, b))
  return [0.02, 0.2, 0.4, 0.6, 0.8, 0.98].map(share => {
    const at = sorted[Math.floor(share * sorted.length)] ?? 0
    return [pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0]
  })
}
