import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readLines, toRange } from '../../lib/gemini/lines.ts'
import { caught } from '../helpers/caught.ts'

type Line = { line: string; end: number }

/** A file whose server obeys ranges, or doesn't, and sends chunks that end at these places. */
function serve(file: Buffer, from: number, { obeys = true, cuts = [] as number[], breaksOff = false } = {}): Response {
  const first = Number(/bytes=(\d+)-/.exec(toRange(from).range ?? '')?.[1] ?? 0)
  const isPart = obeys && from > 0
  const body = isPart ? file.subarray(first) : file
  const places = [0, ...cuts.map(cut => cut % (body.length + 1)), body.length].toSorted((a, b) => a - b)
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const [n, place] of places.entries()) if (n > 0) controller.enqueue(body.subarray(places[n - 1], place))
      if (breaksOff) controller.error(new Error('terminated'))
      else controller.close()
    },
  })
  return new Response(stream, { status: isPart ? 206 : 200 })
}

async function collect(response: Response, from: number): Promise<Line[]> {
  const lines: Line[] = []
  for await (const line of readLines(response, from)) lines.push(line)
  return lines
}

/** Each line that has something in it, with the byte that follows it. */
function expected(texts: string[], breaks: string[], endsOpen: boolean): Line[] {
  let end = 0
  return texts.flatMap((line, n) => {
    const isOpen = endsOpen && n === texts.length - 1
    end += Buffer.byteLength(line) + (isOpen ? 0 : (breaks[n] ?? '\n').length)
    return line === '' ? [] : [{ line, end }]
  })
}

const text = fc.string({ unit: 'binary' }).map(it => it.toWellFormed().replace(/[\r\n]/g, ''))
const file = fc
  .array(fc.tuple(fc.oneof(text, fc.constant('')), fc.constantFrom('\n', '\r\n')), { maxLength: 12 })
  .chain(rows => fc.record({ rows: fc.constant(rows), endsOpen: fc.boolean() }))
  .map(({ rows, endsOpen }) => {
    const [texts, breaks] = [rows.map(([line]) => line), rows.map(([, end]) => end)]
    const whole = texts.map((line, n) => line + (endsOpen && n === texts.length - 1 ? '' : breaks[n])).join('')
    return { bytes: Buffer.from(whole), lines: expected(texts, breaks, endsOpen) }
  })

test('lines come out as they went in, wherever the chunks end and whichever line is begun with', async () => {
  await fc.assert(
    fc.asyncProperty(
      file,
      fc.array(fc.nat(500), { maxLength: 20 }),
      fc.nat(12),
      fc.boolean(),
      async ({ bytes, lines }, cuts, at, obeys) => {
        const from = lines[at % (lines.length + 1)]?.end ?? 0
        const rest = lines.filter(({ end }) => end > from)
        expect(await collect(serve(bytes, from, { obeys, cuts }), from)).toEqual(rest)
      },
    ),
    { numRuns: 500 },
  )
})

test.each<[string, string, Line[]]>([
  ['an empty file', '', []],
  ['nothing but empty lines', '\n\r\n\n', []],
  [
    'a last line without an end',
    'a\nb',
    [
      { line: 'a', end: 2 },
      { line: 'b', end: 3 },
    ],
  ],
  [
    'lines that end as on Windows',
    'a\r\n\r\nb\r\n',
    [
      { line: 'a', end: 3 },
      { line: 'b', end: 8 },
    ],
  ],
  ['a character of four bytes', '🖼\n', [{ line: '🖼', end: 5 }]],
])('%s', async (_, text, lines) => {
  const bytes = Buffer.from(text)
  const everywhere = Array.from(bytes, (_, at) => at)
  expect(await collect(serve(bytes, 0, { cuts: everywhere }), 0)).toEqual(lines)
})

test('a line of thirty megabytes comes whole, between two others', async () => {
  const long = 'ü'.repeat(15_000_000)
  const bytes = Buffer.from(`a\n${long}\nb\n`)
  const cuts = Array.from({ length: 500 }, (_, n) => n * 65_521)
  const lines = await collect(serve(bytes, 0, { cuts }), 0)
  expect(lines.map(({ line, end }) => [line.length, end])).toEqual([
    [1, 2],
    [15_000_000, 30_000_003],
    [1, 30_000_005],
  ])
  expect(lines[1]?.line === long).toBe(true)
})

describe('a download that breaks off', () => {
  test('gives the lines that were whole, then says that time mends it', async () => {
    const seen: Line[] = []
    const reading = caught(async () => {
      for await (const line of readLines(serveBroken('a\nb\nhalf'), 0)) seen.push(line)
    })
    expect(await reading).toMatchObject({ code: 'ERR_GEMINI_UNAVAILABLE', remedy: 'wait' })
    expect(seen).toEqual([
      { line: 'a', end: 2 },
      { line: 'b', end: 4 },
    ])
  })

  /** Its chunks are read before it breaks off. */
  function serveBroken(text: string): Response {
    const chunks = [text]
    return new Response(
      new ReadableStream<Uint8Array>({
        pull(controller) {
          const chunk = chunks.shift()
          if (chunk === undefined) controller.error(new Error('terminated'))
          else controller.enqueue(Buffer.from(chunk))
        },
      }),
    )
  }
})

test('a reader that has enough lets the download go', async () => {
  let isCancelled = false
  const endless = new ReadableStream<Uint8Array>({
    pull: controller => controller.enqueue(Buffer.from('a\n')),
    cancel() {
      isCancelled = true
    },
  })
  for await (const { end } of readLines(new Response(endless), 0)) if (end > 10) break
  expect(isCancelled).toBe(true)
})

test('a range begins a byte early, as none may begin at the end', () => {
  expect([toRange(0), toRange(1), toRange(70)]).toEqual([{}, { range: 'bytes=0-' }, { range: 'bytes=69-' }])
})
