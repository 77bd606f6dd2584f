import type { Chance } from './chance.ts'
import type { Palette } from './colours.ts'
import type { Frame } from './raster.ts'

function gradient(id: string, stops: readonly string[]): string {
  const marks = stops.map((colour, at) => `<stop offset="${at / (stops.length - 1)}" stop-color="${colour}"/>`)
  return `<linearGradient id="${id}" x1="0" y1="0" x2="0" y2="1">${marks.join('')}</linearGradient>`
}

/** A sun over five ridges, each nearer and darker. */
export function drawRidges({ width, height }: Frame, palette: Palette, chance: Chance): string {
  const [ink, deep, middle, light, accent] = palette
  const unit = Math.min(width, height)
  const sky = `<defs>${gradient('sky', [middle, light, accent])}</defs><rect width="${width}" height="${height}" fill="url(#sky)"/>`
  const [x, y, r] = [width * (0.2 + chance() * 0.6), height * (0.25 + chance() * 0.15), unit * 0.13]
  const sun = [1.9, 1.4, 1].map(
    (times, at) =>
      `<circle cx="${x}" cy="${y}" r="${r * times}" fill="${at < 2 ? light : '#fff8e7'}" opacity="${0.25 + at * 0.3}"/>`,
  )
  const ridges = [middle, middle, deep, deep, ink].map((fill, at) => {
    const base = height * (0.47 + at * 0.105)
    const path = ridge(width, base, unit * (0.11 - at * 0.012), chance)
    return `<path d="${path}L${width} ${height}L0 ${height}Z" fill="${fill}" opacity="${0.55 + at * 0.11}"/>`
  })
  return sky + sun.join('') + ridges.join('')
}

/** A line made of five waves, each twice as fine as the one before. */
function ridge(width: number, base: number, amplitude: number, chance: Chance): string {
  const waves = [1, 2, 4, 8, 16].map(times => ({ times: times * (0.7 + chance() * 0.6), phase: chance() * 7 }))
  const points = Array.from({ length: 97 }, (_, step) => {
    const along = step / 96
    const lift = waves.reduce((sum, { times, phase }) => sum + Math.sin(along * times * 5 + phase) / times, 0)
    return `${(along * width).toFixed(1)} ${(base - lift * amplitude).toFixed(1)}`
  })
  return `M${points.join('L')}`
}

/** A poster of quarter circles, discs and bars on a grid. */
export function drawShapes({ width, height }: Frame, palette: Palette, chance: Chance): string {
  const cell = Math.max(width, height) / 6
  const tiles: string[] = [`<rect width="${width}" height="${height}" fill="${palette[3]}"/>`]
  for (let y = 0; y < height; y += cell) {
    for (let x = 0; x < width; x += cell) tiles.push(tile(x, y, cell, palette, chance))
  }
  return tiles.join('')
}

function tile(x: number, y: number, cell: number, palette: Palette, chance: Chance): string {
  const [ground, figure] = chance() < 0.5 ? [3, Math.floor(chance() * 5)] : [Math.floor(chance() * 5), 3]
  const turn = `rotate(${Math.floor(chance() * 4) * 90} ${x + cell / 2} ${y + cell / 2})`
  const fill = palette[figure]
  const figures = [
    `<path d="M${x} ${y}h${cell}a${cell} ${cell} 0 0 1 ${-cell} ${cell}z" fill="${fill}"/>`,
    `<circle cx="${x + cell / 2}" cy="${y + cell / 2}" r="${cell * 0.36}" fill="${fill}"/>`,
    `<path d="M${x} ${y + cell / 2}a${cell / 2} ${cell / 2} 0 0 1 ${cell} 0z" fill="${fill}"/>`,
    [0, 2, 4]
      .map(row => `<rect x="${x}" y="${y + (cell * row) / 5}" width="${cell}" height="${cell / 5}" fill="${fill}"/>`)
      .join(''),
  ]
  const square = `<rect x="${x}" y="${y}" width="${cell + 1}" height="${cell + 1}" fill="${palette[ground]}"/>`
  return `${square}<g transform="${turn}">${figures[Math.floor(chance() * figures.length)]}</g>`
}

/** A round badge with a cut white edge, on white. */
export function drawEmblem({ width, height }: Frame, palette: Palette, chance: Chance): string {
  const [ink, deep, middle, light, accent] = palette
  const [x, y, r] = [width / 2, height * 0.47, Math.min(width, height) * 0.33]
  const rays = 10 + Math.floor(chance() * 8)
  const spikes = Array.from({ length: rays }, (_, at) => {
    const turn = `rotate(${(at * 360) / rays} ${x} ${y})`
    return `<path d="M${x - r * 0.13} ${y - r * 0.5}L${x} ${y - r * 0.92}L${x + r * 0.13} ${y - r * 0.5}Z" fill="${at % 2 ? accent : light}" transform="${turn}"/>`
  })
  const rings = [
    [1.16, '#00000018'],
    [1.12, '#fff'],
    [1.04, ink],
    [0.97, middle],
  ].map(([times, fill]) => `<circle cx="${x}" cy="${y}" r="${r * Number(times)}" fill="${fill}"/>`)
  const face = `<circle cx="${x}" cy="${y}" r="${r * 0.56}" fill="${deep}" stroke="${ink}" stroke-width="${r * 0.05}"/>`
  const eyes = [-1, 1].map(
    side => `<circle cx="${x + side * r * 0.2}" cy="${y - r * 0.08}" r="${r * 0.07}" fill="${light}"/>`,
  )
  const smile = `<path d="M${x - r * 0.22} ${y + r * 0.13}Q${x} ${y + r * 0.36} ${x + r * 0.22} ${y + r * 0.13}" fill="none" stroke="${light}" stroke-width="${r * 0.06}" stroke-linecap="round"/>`
  return `<rect width="${width}" height="${height}" fill="#fff"/>${rings.join('')}${spikes.join('')}${face}${eyes.join('')}${smile}`
}

/** A glazed vessel with its shadow on a lit backdrop. */
export function drawStill({ width, height }: Frame, palette: Palette, chance: Chance): string {
  const [ink, deep, middle, light, accent] = palette
  const unit = Math.min(width, height)
  const [x, foot, w, h] = [width * (0.4 + chance() * 0.2), height * 0.76, unit * 0.17, unit * (0.4 + chance() * 0.1)]
  const defs = `<defs>${gradient('wall', [middle, light])}${gradient('table', [light, middle])}<linearGradient id="glaze"><stop offset="0" stop-color="${ink}"/><stop offset="0.35" stop-color="${accent}"/><stop offset="0.5" stop-color="#fff" stop-opacity="0.9"/><stop offset="0.62" stop-color="${accent}"/><stop offset="1" stop-color="${deep}"/></linearGradient><radialGradient id="shade"><stop offset="0" stop-color="${ink}" stop-opacity="0.65"/><stop offset="1" stop-color="${ink}" stop-opacity="0"/></radialGradient></defs>`
  const room = `<rect width="${width}" height="${height}" fill="url(#wall)"/><rect y="${height * 0.66}" width="${width}" height="${height * 0.34}" fill="url(#table)"/>`
  const shadow = `<ellipse cx="${x + w * 0.9}" cy="${foot}" rx="${w * 2.3}" ry="${unit * 0.045}" fill="url(#shade)"/>`
  const neck = w * (0.3 + chance() * 0.2)
  const side = (sign: number) =>
    `C${x + sign * neck} ${foot - h * 0.75} ${x + sign * w * 1.35} ${foot - h * 0.6} ${x + sign * w} ${foot - h * 0.3}`
  const body = `M${x - neck} ${foot - h}${side(-1)}Q${x - w * 0.8} ${foot} ${x - w * 0.55} ${foot}L${x + w * 0.55} ${foot}Q${x + w * 0.8} ${foot} ${x + w} ${foot - h * 0.3}C${x + w * 1.35} ${foot - h * 0.6} ${x + neck} ${foot - h * 0.75} ${x + neck} ${foot - h}Z`
  const lip = `<ellipse cx="${x}" cy="${foot - h}" rx="${neck}" ry="${neck * 0.22}" fill="${ink}"/>`
  return `${defs}${room}${shadow}<path d="${body}" fill="url(#glaze)"/>${lip}`
}
