import { type Desk, generateRow } from './generate.ts'
import { GoogleError } from './google-error.ts'

type Line = { key: string; request: unknown }
/** What goes into the result file in the place of an answered row. */
type RowReply = (key: string, answer: () => Promise<string>) => string[] | Promise<string[]>

const failed =
  (code: number, message: string): RowReply =>
  key => [JSON.stringify({ key, error: { code, message } })]

/** Every kind of row that a result file was ever seen with, and some that it might. */
export const ROWS = {
  unavailable: failed(14, 'The service is currently unavailable.'),
  exhausted: failed(8, 'Resource has been exhausted (e.g. check quota).'),
  invalid: failed(3, 'Request contains an invalid argument.'),
  'model-gone': failed(5, 'models/gone is not found for API version v1beta.'),
  garbage: key => [`{"key":"${key}","response":{"candidates":[{"cont`],
  neither: key => [JSON.stringify({ key })],
  twice: async (_, answer) => {
    const row = await answer()
    return [row, row]
  },
  'unknown-key': async (_, answer) => [
    JSON.stringify({ key: 'nobody', response: {} }),
    JSON.stringify({ key: '../../etc', error: { code: 3, message: 'x' } }),
    await answer(),
  ],
  missing: () => [],
  'thirty-megabytes': async (_, answer) => {
    const row = JSON.parse(await answer()) as { response: Record<string, unknown> }
    row.response.padding = 'x'.repeat(30_000_000)
    return [JSON.stringify(row)]
  },
  /** The smallest picture that there is: for files of many rows. */
  small: key => [JSON.stringify({ key, response: SMALL })],
} as const satisfies Record<string, RowReply>

const SMALL = {
  candidates: [
    {
      content: {
        role: 'model',
        parts: [
          {
            inlineData: {
              mimeType: 'image/png',
              data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
            },
          },
        ],
      },
      finishReason: 'STOP',
      index: 0,
    },
  ],
  usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 1120, totalTokenCount: 1130 },
  modelVersion: 'gemini-nano-banana-2.1',
  responseId: 'small',
}

export type RowOrder = {
  row: keyof typeof ROWS
  /** In the row's whole line. */
  includes?: string
  times?: number
}
export type StandingRow = { order: RowOrder; left: number }

const RPC_CODES: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  429: 8,
  500: 13,
  503: 14,
  504: 4,
}

/** The result file for an input file: in reverse order, because Google promises none. A share below 1 leaves rows out. */
export async function answerRows(
  desk: Desk,
  model: string,
  input: Buffer,
  orders: StandingRow[],
  share: number,
): Promise<Buffer> {
  const out: Buffer[] = []
  let count = 0
  for (let at = 0; at < input.length; ) {
    const newline = input.indexOf(10, at)
    const end = newline < 0 ? input.length : newline
    const text = input.toString('utf8', at, end)
    at = end + 1
    if (text === '') continue
    count += 1
    if (share < 1 && count % 2 === 0) continue
    const { key, request } = JSON.parse(text) as Line
    const standing = orders.find(({ order, left }) => left > 0 && text.includes(order.includes ?? ''))
    if (standing) standing.left -= 1
    const answer = () => answerRow(desk, model, key, request)
    const reply: RowReply | undefined = standing && ROWS[standing.order.row]
    const rows = reply ? await reply(key, answer) : [await answer()]
    out.push(...rows.map(row => Buffer.from(`${row}\n`)))
  }
  return Buffer.concat(out.toReversed())
}

async function answerRow(desk: Desk, model: string, key: string, request: unknown): Promise<string> {
  try {
    return JSON.stringify({ key, response: await generateRow(desk, model, request) })
  } catch (error) {
    if (!(error instanceof GoogleError)) throw error
    return JSON.stringify({ key, error: { code: RPC_CODES[error.code] ?? 13, message: error.message } })
  }
}
