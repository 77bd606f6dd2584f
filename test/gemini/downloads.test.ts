import { expect, it } from 'vitest'
import { createGeminiBatches } from '../../lib/gemini/batches.ts'

const FILE = 'one\ntwo\nthree\n'

/** Serves the file as Google does; each download breaks off after as many bytes as `breaks` says next. */
function serve(breaks: number[]) {
  const ranges: (string | null)[] = []
  const send: typeof fetch = async (_, init) => {
    const range = new Headers(init?.headers).get('range')
    ranges.push(range)
    const from = Number(/\d+/.exec(range ?? '0')?.[0])
    const until = breaks.shift()
    const body = new ReadableStream(
      {
        pull(controller) {
          if (from < (until ?? FILE.length)) controller.enqueue(Buffer.from(FILE.slice(from, until)))
          if (until === undefined) controller.close()
          else controller.error(new TypeError('terminated', { cause: new Error('other side closed') }))
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { status: range ? 206 : 200 })
  }
  const apiKey = { read: async () => 'key', forget: () => undefined }
  return { google: createGeminiBatches({ apiKey, fetch: send }), ranges }
}

async function read(google: ReturnType<typeof serve>['google']): Promise<string[]> {
  const lines: string[] = []
  for await (const { line } of google.lines('files/a', 0)) lines.push(line)
  return lines
}

it('a download that breaks off goes on behind its last whole line', async () => {
  const { google, ranges } = serve([6, 9])
  expect(await read(google)).toEqual(['one', 'two', 'three'])
  expect(ranges).toEqual([null, 'bytes=3-', 'bytes=7-'])
})

it('a download that breaks off before a whole line has come is given up', async () => {
  const { google } = serve([6, 6])
  await expect(read(google)).rejects.toMatchObject({ code: 'ERR_GEMINI_UNAVAILABLE' })
})
