import { type Chance, pick } from './chance.ts'

export type Rgb = readonly [red: number, green: number, blue: number]
/** From dark to light, an accent last. */
export type Palette = readonly [ink: string, deep: string, middle: string, light: string, accent: string]

const PALETTES: readonly [Palette, ...Palette[]] = [
  ['#1b2a41', '#324a5f', '#7d98a1', '#f1e3d3', '#e4572e'],
  ['#2b193d', '#484d6d', '#d08c60', '#f4dbd8', '#f2b134'],
  ['#0b3948', '#416165', '#a6b07e', '#f7f4e3', '#d1495b'],
  ['#22223b', '#4a4e69', '#c9ada7', '#f2e9e4', '#e09f3e'],
  ['#132a13', '#4f772d', '#a7c957', '#f2e8cf', '#bc4749'],
  ['#3d1f2b', '#8c2f39', '#e0a57e', '#fcefdc', '#2a9d8f'],
  ['#03233f', '#035e7b', '#5fb4b8', '#fdf0d5', '#f77f00'],
]

/** Colour names that a prompt may use. */
const NAMED: Readonly<Record<string, string>> = {
  red: '#c8202f',
  crimson: '#a4123f',
  orange: '#ee7b1c',
  yellow: '#f5c518',
  gold: '#d4a017',
  golden: '#d4a017',
  green: '#2f8f46',
  emerald: '#0f8a5f',
  teal: '#128c8c',
  turquoise: '#2cb5b0',
  blue: '#2457c5',
  navy: '#1b2a6b',
  purple: '#6b3fa0',
  violet: '#7a4fc4',
  pink: '#ec6aa0',
  magenta: '#c72c8b',
  brown: '#7a4a26',
  leather: '#7a4a26',
  wooden: '#8b5a2b',
  white: '#f4f4f0',
  silver: '#b9bec6',
  grey: '#858a91',
  gray: '#858a91',
  black: '#1d1d20',
}

export function pickPalette(chance: Chance): Palette {
  return pick(chance, PALETTES)
}

/** The last colour that the words name: what a thing becomes stands after what it was. */
export function colourIn(words: string): string | undefined {
  const found = words.toLowerCase().match(/[a-z]+/g) ?? []
  const name = found.findLast(word => Object.hasOwn(NAMED, word))
  return name && NAMED[name]
}

export function toRgb(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}
