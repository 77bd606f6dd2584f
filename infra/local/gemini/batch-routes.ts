import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Batches } from './batches.ts'
import { type Read, readMessage } from './fields.ts'
import type { Webhooks } from './webhooks.ts'
import { jsonReply, parseJson, type Reply, readBody } from './wire.ts'

type Desk = { batches: Batches; webhooks: Webhooks }
type Visit = Desk & { request: IncomingMessage; id: string }
type Answer = Reply | 'gone'
type Route = readonly [method: string, path: RegExp, answer: (visit: Visit) => Answer | Promise<Answer>]

const ROUTES: readonly Route[] = [
  ['POST', /^\/v1beta\/models\/([^/:]+):batchGenerateContent$/, create],
  ['GET', /^\/v1beta\/batches$/, async ({ batches }) => jsonReply({ operations: await batches.list() })],
  ['GET', /^\/v1beta\/batches\/([^/:]+)$/, async ({ batches, id }) => jsonReply(await batches.describe(id))],
  [
    'POST',
    /^\/v1beta\/batches\/([^/:]+):cancel$/,
    async ({ batches, id }) => {
      await batches.cancel(id)
      return jsonReply({})
    },
  ],
  ['POST', /^\/v1beta\/webhooks$/, register],
]

/** Answers a call of the Batch API or of the webhooks; `undefined` where the path is none of theirs. */
export function answerBatches(desk: Desk, request: IncomingMessage, url: URL): Answer | Promise<Answer> | undefined {
  for (const [method, path, answer] of ROUTES) {
    const match = request.method === method && decodeURIComponent(url.pathname).match(path)
    if (match) return answer({ ...desk, request, id: match[1] ?? '' })
  }
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
