import sharp, { type Sharp } from 'sharp'
import type { Attachment } from '../attachments.ts'
import { compose } from './compose.ts'
import { grade } from './grade.ts'
import { inpaint } from './inpaint.ts'
import { mark } from './mark.ts'
import { openPicture, type Picture, unreadable } from './open.ts'
import { type Frame, fromRaster, type Raster } from './raster.ts'
import { restyle } from './restyle.ts'
import { drawScene } from './scene.ts'

export type ImageType = 'image/jpeg' | 'image/png'
export type Sitting = { prompt: string; pictures: Picture[]; style?: Picture; mask?: Picture }

type Intent = {
  /** Whether a prompt with so many pictures asks for this. */
  asks: (sitting: Sitting) => boolean
  draw: (sitting: Sitting, first: Picture, frame: Frame) => Promise<Raster>
}

const INPAINT = /change only|only change|keep everything else|everything else .*(same|unchanged|as it is)/i
const STYLE = /artistic style|in the style of|style transfer|restyle/i
const ANY_STYLE = /\bstyles?\b|painting|water ?colou?r|\bsketch of|cartoon|anime|woodcut|comic/i

/** The words that say what the input is, not what it is to become. */
const SKETCH = /\b(turn|make)\b[^.]*\b(sketch|drawing)\b[^.]*|\bthe sketch is[^.]*/gi

/** What to do with pictures, the first row that asks. Without pictures a scene is drawn. */
const INTENTS: Intent[] = [
  {
    asks: ({ mask, prompt, pictures }) => Boolean(mask) || (pictures.length === 1 && INPAINT.test(prompt)),
    draw: ({ prompt, mask }, first, frame) => inpaint(prompt, first, frame, mask),
  },
  {
    asks: ({ prompt, pictures }) => pictures.length === 1 && prompt.search(SKETCH) >= 0,
    draw: ({ prompt }, first, frame) => restyle(`painting ${prompt.replace(SKETCH, '')}`, first, frame),
  },
  {
    asks: ({ style, prompt, pictures }) =>
      Boolean(style) || STYLE.test(prompt) || (pictures.length === 1 && ANY_STYLE.test(prompt)),
    draw: ({ prompt, style, pictures }, first, frame) => restyle(prompt, first, frame, style ?? pictures[1]),
  },
  { asks: ({ pictures }) => pictures.length > 1, draw: ({ pictures }, _, frame) => compose(pictures, frame) },
  { asks: () => true, draw: ({ prompt }, first, frame) => grade(prompt, first, frame) },
]

/** Reads all inputs; refuses one that is no picture. */
export async function sit(prompt: string, inputs: readonly Attachment[]): Promise<Sitting> {
  const opened = await Promise.all(inputs.map(async ({ bytes, role }) => ({ role, picture: await openPicture(bytes) })))
  const as = (role: string) => opened.flatMap(input => (input.role === role ? [input.picture] : []))
  const [style, mask] = [as('style')[0], as('mask')[0]]
  return { prompt, pictures: as('base'), ...(style && { style }), ...(mask && { mask }) }
}

/** The finished picture of exactly this size, with its mark. */
export async function draw(sitting: Sitting, frame: Frame, type: ImageType): Promise<Buffer> {
  try {
    const raster = await paint(sitting, frame)
    await mark(raster)
    return await encode(fromRaster(raster), type)
  } catch (error) {
    // An input whose header is sound and whose data is not shows only now.
    if (sitting.pictures.length) throw unreadable()
    throw error
  }
}

function paint(sitting: Sitting, frame: Frame): Promise<Raster> {
  const [first] = sitting.pictures
  const intent = INTENTS.find(({ asks }) => asks(sitting))
  return first && intent ? intent.draw(sitting, first, frame) : drawScene(sitting.prompt, frame)
}

/** A rough first attempt at the same picture, as thinking models show. */
export function draft(picture: Buffer, type: ImageType): Promise<Buffer> {
  return encode(sharp(picture).greyscale().blur(4).linear(0.8, 40), type)
}

function encode(picture: Sharp, type: ImageType): Promise<Buffer> {
  if (type === 'image/png') return picture.png({ compressionLevel: 1 }).toBuffer()
  return picture.jpeg({ quality: 90 }).toBuffer()
}
