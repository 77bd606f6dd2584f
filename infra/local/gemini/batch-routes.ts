import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Batches } from './batches.ts'
import { type Read, readMessage } from './fields.ts'
import type { Webhooks } from './webhooks.ts'
import { jsonReply, parseJson, type Reply, readBody } from './wire.ts'

type Desk = { batches: Batches; webhooks: Webhooks }
type Visit = Desk & { request: IncomingMessage; url: URL; id: string }
type Answer = Reply | 'gone'
type Route = readonly [method: string, path: RegExp, answer: (visit: Visit) => Answer | Promise<Answer>]

const ROUTES: readonly Route[] = [
  ['POST', /^\/v1beta\/models\/([^/:]+):batchGenerateContent$/, create],
  ['GET', /^\/v1beta\/batches$/, list],
  ['GET', /^\/v1beta\/batches\/([^/:]+)$/, async ({ batches, id }) => jsonReply(await batches.describe(id))],
  [
    'POST',
    /^\/v1beta\/batches\/([^/:]+):cancel$/,
    async ({ batches, id }) => {
      await batches.cancel(id)
      return jsonReply({})
    },
  ],
  [
    'DELETE',
    /^\/v1beta\/batches\/([^/:]+)$/,
    ({ batches, id }) => {
      batches.remove(id)
      return jsonReply({})
    },
  ],
  ['POST', /^\/v1beta\/webhooks$/, register],
  ['GET', /^\/v1beta\/webhooks$/, ({ webhooks }) => jsonReply({ webhooks: webhooks.list() })],
  [
    'DELETE',
    /^\/v1beta\/webhooks\/([^/:]+)$/,
    ({ webhooks, id }) => {
      webhooks.remove(id)
      return jsonReply({})
    },
  ],
]

/** Answers a call of the Batch API or of the webhooks; `undefined` where the path is none of theirs. */
export function answerBatches(desk: Desk, request: IncomingMessage, url: URL): Answer | Promise<Answer> | undefined {
  for (const [method, path, answer] of ROUTES) {
    const match = request.method === method && decodeURIComponent(url.pathname).match(path)
    if (match) return answer({ ...desk, request, url, id: match[1] ?? '' })
  }
}

/** A page of batches, the newest first; its token is where the next one begins. */
async function list({ batches, url }: Visit): Promise<Reply> {
  const from = Number(url.searchParams.get('pageToken') ?? 0)
  const end = from + Math.min(100, Number(url.searchParams.get('pageSize')) || 50)
  const all = await batches.list()
  return jsonReply({ operations: all.slice(from, end), ...(end < all.length && { nextPageToken: String(end) }) })
}

const CREATE = {
  fields: {
    batch: {
      fields: {
        displayName: 'string',
        model: 'string',
        priority: 'any',
        inputConfig: { fields: { fileName: 'string', requests: 'any' } },
        webhookConfig: 'any',
      },
    },
  },
} as const
type Create = Read<typeof CREATE>

async function create({ batches, request, id }: Visit): Promise<Answer> {
  const { batch }: Create = readMessage(CREATE, parseJson(await readBody(request)))
  const made = batches.create(id, batch?.displayName ?? '', batch?.inputConfig?.fileName ?? '')
  if (made.answer === 'cut') return 'gone'
  if (made.answer === 'hang') {
    if (!request.socket.destroyed) await once(request.socket, 'close')
    return 'gone'
  }
  return jsonReply(await batches.describe(made.id))
}

async function register({ webhooks, request }: Visit): Promise<Reply> {
  return jsonReply(webhooks.register(parseJson(await readBody(request))))
}
