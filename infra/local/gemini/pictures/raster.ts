import sharp, { type Sharp } from 'sharp'

/** A size in pixels. */
export type Frame = { width: number; height: number }

/** Pixels in memory, three bytes each. */
export type Raster = Frame & { pixels: Buffer }

/** Runs a pipeline of sharp's to its pixels. */
export async function toRaster(picture: Sharp): Promise<Raster> {
  const { data, info } = await picture.removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })
  return { pixels: data, width: info.width, height: info.height }
}

export function fromRaster({ pixels, width, height }: Raster): Sharp {
  return sharp(pixels, { raw: { width, height, channels: 3 } })
}
