import type { Raster } from './raster.ts'

/** Where strokes run: along edges, and how strong the edge is (0 to about 1). */
export type FlowField = { x: Float32Array; y: Float32Array; strength: Float32Array }

/** Lightness of the pixel whose bytes begin at `at`, 0 to 255. */
export function lightness(pixels: Uint8Array, at: number): number {
  return 0.3 * (pixels[at] ?? 0) + 0.59 * (pixels[at + 1] ?? 0) + 0.11 * (pixels[at + 2] ?? 0)
}

/** The field of a picture. Where it is flat, strokes wander in slow curves, so that a clear sky is painted too. */
export function flowField({ pixels, width, height }: Raster): FlowField {
  const size = width * height
  const light = new Float32Array(size)
  for (let pixel = 0; pixel < size; pixel++) light[pixel] = lightness(pixels, pixel * 3)
  const field = { x: new Float32Array(size), y: new Float32Array(size), strength: new Float32Array(size) }
  for (let y = 1; y < height - 1; y++) {
    const tilt = Math.sin(y * 0.021) * 2
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x
      const across = difference(light, at, 1, width)
      const down = difference(light, at, width, 1)
      const edge = Math.sqrt(across * across + down * down)
      if (edge < FLAT) {
        const angle = Math.sin(x * 0.017 + tilt) * 1.4
        field.x[at] = Math.cos(angle)
        field.y[at] = Math.sin(angle)
      } else {
        field.x[at] = -down / edge
        field.y[at] = across / edge
      }
      field.strength[at] = Math.max(0, edge * 0.0022 - 0.12)
    }
  }
  return field
}

/** Below this difference of lightness there is no edge to follow. */
const FLAT = 70

/** How much lighter it gets in the direction of `step`, over three rows `side` apart. */
function difference(light: Float32Array, at: number, step: number, side: number): number {
  const [low, high] = [at - step, at + step]
  const before = (light[low - side] ?? 0) + 2 * (light[low] ?? 0) + (light[low + side] ?? 0)
  return (light[high - side] ?? 0) + 2 * (light[high] ?? 0) + (light[high + side] ?? 0) - before
}

/** Smears each pixel `steps` along the field both ways, with bristles that show as lighter and darker streaks. */
export function flow(photo: Raster, field: FlowField, steps: number, bristle: number): Raster {
  const { pixels, width, height } = photo
  const painted = Buffer.allocUnsafe(pixels.length)
  const grain = bristles(width * height)
  const count = 2 * steps
  for (let pixel = 0; pixel < width * height; pixel++) {
    let [red, green, blue, noise] = [0, 0, 0, 0]
    for (let sign = -1; sign <= 1; sign += 2) {
      let x = (pixel % width) + 0.5
      let y = Math.floor(pixel / width) + 0.5
      for (let step = 0; step < steps; step++) {
        const at = (y | 0) * width + (x | 0)
        red += pixels[at * 3] ?? 0
        green += pixels[at * 3 + 1] ?? 0
        blue += pixels[at * 3 + 2] ?? 0
        noise += grain[at] ?? 0
        x = Math.max(0, Math.min(width - 1, x + (field.x[at] ?? 0) * sign))
        y = Math.max(0, Math.min(height - 1, y + (field.y[at] ?? 0) * sign))
      }
    }
    const streak = (1 + bristle * (noise / count - 0.5) * Math.sqrt(count)) / count
    painted[pixel * 3] = Math.max(0, Math.min(255, red * streak))
    painted[pixel * 3 + 1] = Math.max(0, Math.min(255, green * streak))
    painted[pixel * 3 + 2] = Math.max(0, Math.min(255, blue * streak))
  }
  return { pixels: painted, width, height }
}

/** Noise in [0, 1), the same for every picture. */
function bristles(size: number): Float32Array {
  const grain = new Float32Array(size)
  let state = 1
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    grain[at] = state / 2 ** 32
  }
  return grain
}
