import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { type Catalogue, MODELS } from '../../../lib/models.ts'
import { answerBatches } from './batch-routes.ts'
import { type Batches, createBatches } from './batches.ts'
import { type Call, type CallLog, createCallLog } from './calls.ts'
import { type Control, createControl } from './control.ts'
import { answerControl } from './control-routes.ts'
import type { FaultName } from './faults.ts'
import { answerFiles, continuesUpload } from './file-routes.ts'
import { createFiles } from './files.ts'
import { countTokens, type Desk, type Exchange, generate } from './generate.ts'
import { noSuchPath } from './google-error.ts'
import { checkKey } from './key.ts'
import { createLimiter } from './limiter.ts'
import { answerModels } from './model-routes.ts'
import { createWebhooks, type Webhooks } from './webhooks.ts'
import { errorReply, type Reply, send } from './wire.ts'

export type GeminiOptions = {
  /** 0 takes any free port. @default 0 */
  port?: number
  /** @default 'stand-in' */
  apiKey?: string
  models?: Catalogue
  /** Milliseconds since 1970, for expiry, limits and records. */
  now?: () => number
  sleep?: (ms: number) => Promise<unknown>
  /** YYYY-MM-DD, for models that are shut down; of `now` where it is left out. */
  today?: () => string
  /** Calls a minute that each model answers; without it, all. */
  requestsPerMinute?: number
}

export type Gemini = {
  baseUrl: string
  apiKey: string
  control: Omit<Control, 'whenReleased' | 'takeWait' | 'takeFault' | 'takeReply'>
  /** Batches as they are, and what becomes of those to come. */
  batches: Batches
  webhooks: Webhooks
  calls: readonly Call[]
  inFlight: () => number
  mostInFlight: CallLog['mostInFlight']
  close: () => Promise<void>
  [Symbol.asyncDispose]: () => Promise<void>
}

/** Starts a stand-in for Google's Gemini API on the loopback address. */
export async function startGemini(options: GeminiOptions = {}): Promise<Gemini> {
  const { port = 0, apiKey = 'stand-in', models = MODELS, now = Date.now, sleep = wait } = options
  const today = options.today ?? (() => new Date(now()).toISOString().slice(0, 10))
  const limiter = createLimiter(now, options.requestsPerMinute)
  const control = createControl(limiter.setLimit)
  const log = createCallLog(now)
  const files = createFiles(now, name => `${baseUrl}/v1beta/files/${name}`)
  const desk: Desk = { models, today, sleep, log, control, limiter, files }
  const webhooks = createWebhooks(now, sleep)
  const batches = createBatches(desk, now, webhooks.tell)

  const server = createServer(
    (request, response) => void answer({ ...desk, batches, webhooks }, apiKey, request, response),
  )
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
  const { inFlight, mostInFlight, calls } = log
  return {
    baseUrl,
    apiKey,
    control,
    batches,
    webhooks,
    calls,
    inFlight,
    mostInFlight,
    close,
    [Symbol.asyncDispose]: close,
  }
}

const MODEL_CALL = /^\/v1(?:beta)?\/models\/([^/:]+):(generateContent|countTokens)$/
const METHODS: Readonly<Record<string, (desk: Desk, exchange: Exchange) => Promise<Reply | 'gone'>>> = {
  generateContent: generate,
  countTokens,
}

type WholeDesk = Desk & { batches: Batches; webhooks: Webhooks }

async function answer(
  desk: WholeDesk,
  apiKey: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = readUrl(request)
  if (!url) return void (await send(response, errorReply(noSuchPath())))
  const [, id, method] = (request.method === 'POST' && decodeURIComponent(url.pathname).match(MODEL_CALL)) || []
  if (id && method) return answerCall(desk, apiKey, { request, response, url, id, method })
  const reply = await answerElse(desk, apiKey, request, url).catch(errorReply)
  if (reply === 'gone') response.destroy()
  else await send(response, reply)
}

/** `undefined` for what is no address, as `//` and `/%`. */
function readUrl({ url = '/' }: IncomingMessage): URL | undefined {
  try {
    const read = new URL(url, 'http://stand-in')
    decodeURIComponent(read.pathname)
    return read
  } catch {
    return undefined
  }
}

async function answerElse(
  desk: WholeDesk,
  apiKey: string,
  request: IncomingMessage,
  url: URL,
): Promise<Reply | 'gone'> {
  if (url.pathname.startsWith('/control/')) return answerControl(desk, request, url)
  if (!continuesUpload(url)) checkKey(request, url, apiKey)
  const reply =
    answerFiles(desk.files, request, url) ??
    answerBatches(desk, request, url) ??
    (request.method === 'GET' ? answerModels(desk.models, desk.today(), url.pathname) : undefined)
  if (!reply) throw noSuchPath()
  return reply
}

type Incoming = { request: IncomingMessage; response: ServerResponse; url: URL; id: string; method: string }

/** Faults in which it is the stand-in that goes. */
const CUTS: readonly string[] = ['cut', 'reset'] satisfies FaultName[]

async function answerCall(desk: Desk, apiKey: string, incoming: Incoming): Promise<void> {
  const { request, response, url, id, method } = incoming
  const call = desk.log.start(method, id)
  response.once('close', () => {
    call.clientWent = !response.writableFinished && !CUTS.includes(call.outcome)
  })
  try {
    checkKey(request, url, apiKey)
    const reply = await METHODS[method]?.(desk, { request, response, call, id })
    await finish(call, response, reply ?? 'gone')
  } catch (error) {
    await finish(call, response, errorReply(error)).catch(() => response.destroy())
  } finally {
    desk.log.end(call)
  }
}

async function finish(call: Call, response: ServerResponse, reply: Reply | 'gone'): Promise<void> {
  if (reply === 'gone') return
  call.status = reply.status
  if (call.outcome === 'running') call.outcome = reply.status === 200 ? 'answered' : 'refused'
  call.delivered = await send(response, reply)
}
