/** A text as SVG shows it: characters that XML forbids are left out, and the rest escaped. */
export function escapeXml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML forbids
  const plain = text.toWellFormed().replace(/[\u0000-\u001f\u007f\ufffe\uffff]+/g, ' ')
  return plain.replace(/[<>&"']/g, character => `&#${character.charCodeAt(0)};`)
}

/** Lines of at most `columns` characters, broken between words; what doesn't fit ends in an ellipsis. */
export function wrap(text: string, columns: number, most: number): string[] {
  const lines: string[] = []
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const line = lines.at(-1)
    const short = [...word].slice(0, columns).join('')
    if (line !== undefined && line.length + short.length < columns) lines[lines.length - 1] = `${line} ${short}`
    else lines.push(short)
  }
  const kept = lines.slice(0, most)
  if (lines.length > most) kept[most - 1] = `${kept[most - 1]?.slice(0, columns - 1)}…`
  return kept
}

type Lettering = { x: number; y: number; size: number; fill: string; family?: string; weight?: number; anchor?: string }

/** Lines of text as SVG, the first on the baseline `y`. */
export function textLines(lines: readonly string[], lettering: Lettering): string {
  const { x, y, size, fill, family = 'serif', weight = 400, anchor = 'start' } = lettering
  const style = `font-family="${family}" font-weight="${weight}" font-size="${size}" fill="${fill}" text-anchor="${anchor}"`
  return lines
    .map((line, at) => `<text x="${x}" y="${y + at * size * 1.3}" ${style}>${escapeXml(line)}</text>`)
    .join('')
}

/** A whole SVG document. */
export function svg(width: number, height: number, content: string): Buffer {
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`
  return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" ${size}>${content}</svg>`)
}
