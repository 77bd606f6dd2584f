import { EditError } from '../errors.ts'
import { reasonOf } from './rest.ts'

/** A row of one picture has tens of megabytes; what is longer than a JavaScript string can be is no row. */
const LINE_LIMIT_BYTES = 256 * 2 ** 20

/** Asks for what follows a byte, and for one byte before it: a range that begins at the file's end is refused (416). */
export function toRange(from: number): Record<string, string> {
  return from === 0 ? {} : { range: `bytes=${from - 1}-` }
}

/**
 * The lines of an answer to `toRange(from)`, each with the byte that follows it. A server that ignores ranges sends all of
 * it, and what comes before is dropped here.
 */
export async function* readLines(response: Response, from: number): AsyncGenerator<{ line: string; end: number }> {
  let skip = response.status === 206 ? 1 : from
  let end = from
  let pieces: Buffer[] = []
  let held = 0
  const hold = (piece: Buffer) => {
    held += piece.length
    if (held <= LINE_LIMIT_BYTES) pieces.push(piece)
    else pieces = []
  }
  /** What is held, as text: cut only where a line ends, so that no character is cut. */
  const release = (): string => {
    const line = Buffer.concat(pieces).toString()
    pieces = []
    held = 0
    return line.endsWith('\r') ? line.slice(0, -1) : line
  }
  for await (const chunk of chunksOf(response)) {
    let at = Math.min(skip, chunk.length)
    skip -= at
    for (let newline = chunk.indexOf(10, at); newline >= 0; newline = chunk.indexOf(10, at)) {
      hold(chunk.subarray(at, newline))
      end += held + 1
      const line = release()
      at = newline + 1
      if (line !== '') yield { line, end }
    }
    if (at < chunk.length) hold(chunk.subarray(at))
  }
  end += held
  const line = release()
  if (line !== '') yield { line, end }
}

async function* chunksOf(response: Response): AsyncGenerator<Buffer> {
  if (!response.body) return
  try {
    for await (const chunk of response.body) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  } catch (cause) {
    throw new EditError('ERR_GEMINI_UNAVAILABLE', `a download broke off: ${reasonOf(cause)}`, { cause })
  }
}
