import sharp from 'sharp'

/** The share of pixels that differ visibly, within a part of the picture given in shares of it. */
export async function changed(
  before: Buffer,
  after: Buffer,
  part = { left: 0, top: 0, right: 1, bottom: 1 },
): Promise<number> {
  const size = 200
  const [a, b] = await Promise.all(
    [before, after].map(bytes =>
      sharp(bytes).autoOrient().resize(size, size, { fit: 'fill' }).removeAlpha().raw().toBuffer(),
    ),
  )
  let [differ, all] = [0, 0]
  for (let y = Math.round(part.top * size); y < part.bottom * size; y++) {
    for (let x = Math.round(part.left * size); x < part.right * size; x++) {
      const at = (y * size + x) * 3
      const difference = Math.max(...[0, 1, 2].map(c => Math.abs((a?.[at + c] ?? 0) - (b?.[at + c] ?? 0))))
      all++
      if (difference > 24) differ++
    }
  }
  return differ / all
}
