import sharp, { type OverlayOptions } from 'sharp'
import { svg } from './lettering.ts'
import type { Picture } from './open.ts'
import { type Frame, fromRaster, type Raster, toRaster } from './raster.ts'

/** The first picture full, the others laid onto it as prints, so that every input is seen. */
export async function compose(pictures: readonly Picture[], frame: Frame): Promise<Raster> {
  const [ground, ...others] = pictures
  if (!ground) throw new Error('a composition needs a picture')
  const base = await toRaster(ground.open().resize({ ...frame, fit: 'cover' }))
  const places = placesFor(others.length, frame)
  const prints = await Promise.all(others.map((picture, at) => layPrint(picture, places[at] ?? frameOf(frame), at)))
  return toRaster(fromRaster(base).composite(prints))
}

type Place = { left: number; top: number; width: number; height: number }

const frameOf = ({ width, height }: Frame): Place => ({ left: 0, top: 0, width, height })

/** One print stands large on the right; more stand in rows below. */
function placesFor(count: number, { width, height }: Frame): Place[] {
  const columns = Math.min(count, width >= height ? 5 : 3)
  const rows = Math.ceil(count / columns)
  const share = count === 1 ? 0.46 : 0.94 / columns
  const cellWidth = width * share
  const cellHeight = Math.min((height * 0.9) / rows, count === 1 ? height * 0.62 : height * 0.42)
  const left = count === 1 ? width * 0.5 : width * 0.03
  const top = height * 0.93 - rows * cellHeight
  return Array.from({ length: count }, (_, at) => ({
    left: left + (at % columns) * cellWidth,
    top: top + Math.floor(at / columns) * cellHeight,
    width: cellWidth,
    height: cellHeight,
  }))
}

/** A print with a white border and a shadow, a little askew, whole within its place. */
async function layPrint(picture: Picture, place: Place, at: number): Promise<OverlayOptions> {
  const room = { width: place.width * 0.84, height: place.height * 0.84 }
  const scale = Math.min(room.width / picture.width, room.height / picture.height)
  const [width, height] = [picture.width, picture.height].map(side => Math.max(8, Math.round(side * scale))) as [
    number,
    number,
  ]
  const border = Math.max(3, Math.round(Math.min(width, height) * 0.035))
  const photo = await picture
    .open()
    .resize(width, height, { fit: 'fill' })
    .removeAlpha()
    .extend({ top: border, bottom: border, left: border, right: border, background: '#fdfcf8' })
    .png({ compressionLevel: 0 })
    .toBuffer()
  const [w, h] = [width + 2 * border, height + 2 * border]
  const margin = border * 2
  const shade = `<defs><filter id="soft"><feGaussianBlur stdDeviation="${border * 0.6}"/></filter></defs><rect x="${margin}" y="${margin + border / 2}" width="${w}" height="${h}" fill="#000" opacity="0.45" filter="url(#soft)"/>`
  const card = await sharp(svg(w + 2 * margin, h + 2 * margin, shade))
    .composite([{ input: photo, left: margin, top: margin }])
    .png({ compressionLevel: 0 })
    .toBuffer()
  const clear = { background: { r: 0, g: 0, b: 0, alpha: 0 } }
  const turned = await sharp(card)
    .rotate(at % 2 ? -2.5 : 2.5, clear)
    .png({ compressionLevel: 0 })
    .toBuffer({ resolveWithObject: true })
  return {
    input: turned.data,
    left: Math.max(0, Math.round(place.left + (place.width - turned.info.width) / 2)),
    top: Math.max(0, Math.round(place.top + (place.height - turned.info.height) / 2)),
  }
}
