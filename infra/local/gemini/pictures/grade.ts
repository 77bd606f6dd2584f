import type { Sharp } from 'sharp'
import { createChance, pick } from './chance.ts'
import { svg } from './lettering.ts'
import type { Picture } from './open.ts'
import type { Frame } from './scene.ts'

/** A colour grade: factors and offsets of red, green and blue, saturation, and the darkening of the corners. */
type Grade = { times: [number, number, number]; plus: [number, number, number]; saturation: number; corners: number }

const GRADES = {
  warm: { times: [1.18, 1.02, 0.8], plus: [6, 0, 4], saturation: 1.15, corners: 0.5 },
  cool: { times: [0.82, 1, 1.2], plus: [0, 6, 14], saturation: 0.95, corners: 0.35 },
  night: { times: [0.38, 0.48, 0.78], plus: [-4, -2, 16], saturation: 0.8, corners: 0.7 },
  grey: { times: [1.15, 1.15, 1.15], plus: [-12, -12, -12], saturation: 0, corners: 0.4 },
  film: { times: [1.08, 0.98, 0.86], plus: [8, 10, 26], saturation: 0.85, corners: 0.45 },
  vivid: { times: [1.16, 1.12, 1.14], plus: [-18, -16, -18], saturation: 1.6, corners: 0.25 },
} as const satisfies Record<string, Grade>

const WORDS: readonly (readonly [words: RegExp, grade: Grade])[] = [
  [/\b(night|midnight|moon|dark|dusk)/i, GRADES.night],
  [/black.and.white|monochrome|gr[ae]y/i, GRADES.grey],
  [/\b(warm|sunset|golden|autumn|sunrise|summer|sun)/i, GRADES.warm],
  [/\b(cool|cold|winter|snow|ice|rain|fog|blue)/i, GRADES.cool],
  [/\b(film|vintage|retro|old|faded|sepia)/i, GRADES.film],
  [/\b(vivid|bright|colou?rful|saturated|spring)/i, GRADES.vivid],
]

/** The picture in other light: the grade that the words name, or one by chance. */
export function grade(prompt: string, picture: Picture, frame: Frame): Sharp {
  const found = WORDS.find(([words]) => words.test(prompt))?.[1]
  const { times, plus, saturation, corners } =
    found ?? pick<Grade>(createChance(prompt), [GRADES.warm, GRADES.cool, GRADES.film, GRADES.vivid])
  return picture
    .open()
    .resize(frame.width, frame.height, { fit: 'cover' })
    .removeAlpha()
    .linear([...times], [...plus])
    .modulate({ saturation })
    .composite([{ input: vignette(frame, corners) }])
}

function vignette({ width, height }: Frame, opacity: number): Buffer {
  const fade = `<radialGradient id="fade" r="0.75"><stop offset="0.5" stop-color="#000" stop-opacity="0"/><stop offset="1" stop-color="#000" stop-opacity="${opacity}"/></radialGradient>`
  return svg(width, height, `<defs>${fade}</defs><rect width="${width}" height="${height}" fill="url(#fade)"/>`)
}
