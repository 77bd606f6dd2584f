import { lightness } from './brush.ts'
import { createChance, pick } from './chance.ts'
import type { Picture } from './open.ts'
import { type Frame, type Raster, toRaster } from './raster.ts'

/** A colour grade: factors and offsets of red, green and blue, saturation, and the darkening of the corners. */
type Grade = { times: readonly number[]; plus: readonly number[]; saturation: number; corners: number }

const GRADES = {
  warm: { times: [1.18, 1.02, 0.8], plus: [6, 0, 4], saturation: 1.15, corners: 0.5 },
  cool: { times: [0.82, 1, 1.2], plus: [0, 6, 14], saturation: 0.95, corners: 0.35 },
  night: { times: [0.36, 0.46, 0.66], plus: [-4, -2, 12], saturation: 0.8, corners: 0.7 },
  grey: { times: [1.15, 1.15, 1.15], plus: [-12, -12, -12], saturation: 0, corners: 0.4 },
  film: { times: [1.08, 0.98, 0.86], plus: [8, 10, 26], saturation: 0.85, corners: 0.45 },
  vivid: { times: [1.16, 1.12, 1.14], plus: [-18, -16, -18], saturation: 1.6, corners: 0.25 },
} as const satisfies Record<string, Grade>

const WORDS: readonly (readonly [words: RegExp, grade: Grade])[] = [
  [/\b(night|midnight|moon|dark|dusk)/i, GRADES.night],
  [/black.and.white|monochrome|\bgr[ae]y/i, GRADES.grey],
  [/\b(warm|sunset|golden|autumn|sunrise|summer|sun)/i, GRADES.warm],
  [/\b(cool|cold|winter|snow|ice|rain|fog|blue)/i, GRADES.cool],
  [/\b(film|vintage|retro|old|faded|sepia)/i, GRADES.film],
  [/\b(vivid|bright|colou?rful|saturated|spring)/i, GRADES.vivid],
]

/** The picture in other light: the grade that the words name, or one by chance. */
export async function grade(prompt: string, picture: Picture, frame: Frame): Promise<Raster> {
  const found = WORDS.find(([words]) => words.test(prompt))?.[1]
  const chosen = found ?? pick<Grade>(createChance(prompt), [GRADES.warm, GRADES.cool, GRADES.film, GRADES.vivid])
  const raster = await toRaster(picture.open().resize({ ...frame, fit: 'cover' }))
  lay(chosen, raster)
  return raster
}

function lay({ times, plus, saturation, corners }: Grade, { pixels, width, height }: Raster): void {
  for (let at = 0, pixel = 0; at < pixels.length; at += 3, pixel++) {
    const across = (pixel % width) / width - 0.5
    const down = Math.floor(pixel / width) / height - 0.5
    const lit = 1 - corners * Math.max(0, (across * across + down * down) * 2 - 0.15)
    const light = lightness(pixels, at)
    for (let channel = 0; channel < 3; channel++) {
      const vivid = light + ((pixels[at + channel] ?? 0) - light) * saturation
      const graded = (vivid * (times[channel] ?? 1) + (plus[channel] ?? 0)) * lit
      pixels[at + channel] = Math.max(0, Math.min(255, graded))
    }
  }
}
