import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createChance } from '../../infra/local/gemini/pictures/chance.ts'
import { type AwsCall, readAwsCall } from './aws-call.ts'
import { toAwsError } from './aws-errors.ts'

/**
 * What can happen to a call: the service says no, the connection goes before the call arrives, after it was carried out
 * but before its answer comes (the nasty one: a write that succeeded looks failed), in the middle of the answer, or nothing comes.
 */
export const FAULTS = ['internal', 'slow-down', 'cut-before', 'cut-after', 'cut-within', 'hang'] as const
export type Fault = (typeof FAULTS)[number]

type Match = (call: AwsCall) => boolean
export type Order = { match?: Match; times?: number; share?: number; seed?: string | number } & (
  | { fault: Fault }
  | { faults: readonly Fault[] }
)

/** A call that stands still at the proxy, before it is carried out (`request`) or when its answer is there (`answer`). */
export type Held = { call: AwsCall; release: () => void; drop: () => void }
type Place = 'request' | 'answer'
type Hold = { match: Match; at: Place; reached: (held: Held) => void }

export type AwsProxy = Awaited<ReturnType<typeof startAwsProxy>>

/** Stands between the functions and the local AWS. Whoever is no function is let through. */
export async function startAwsProxy() {
  const agent = new Agent({ keepAlive: true, maxSockets: 100 })
  const orders: { order: Order; left: number; seen: Map<string, number> }[] = []
  const holds: Hold[] = []
  const struck = new Map<string, number>()
  const targets: { endpoint?: string; dynamodbEndpoint?: string } = {}

  function takeFault(call: AwsCall): Fault | undefined {
    for (const each of orders) {
      const { order, seen } = each
      if (each.left <= 0 || !(order.match?.(call) ?? true)) continue
      const name = `${call.service}.${call.ledger ?? call.action} ${call.target}`
      const nth = (seen.get(name) ?? 0) + 1
      seen.set(name, nth)
      // By what is called and how often it was, not by the order of calls, which no seed can repeat.
      const chance = createChance(`${order.seed ?? ''} ${name} ${nth}`)
      if (order.share !== undefined && chance() >= order.share) continue
      each.left -= 1
      const fault = 'fault' in order ? order.fault : order.faults[Math.floor(chance() * order.faults.length)]
      const key = `${call.service} ${fault}`
      struck.set(key, (struck.get(key) ?? 0) + 1)
      return fault
    }
  }

  /** Resolves to whether the call may go on. */
  async function standStill(call: AwsCall, at: Place): Promise<boolean> {
    const index = holds.findIndex(hold => hold.at === at && hold.match(call))
    const [hold] = index < 0 ? [] : holds.splice(index, 1)
    if (!hold) return true
    return new Promise(resolve => {
      hold.reached({ call, release: () => resolve(true), drop: () => resolve(false) })
    })
  }

  async function relay(target: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray())
    const forward = () => forwardTo(target, agent, request, body)
    if (!isFunction(request)) return answerWith(response, await forward())
    const call = readAwsCall(request, body.toString())
    const fault = takeFault(call)
    if (fault === 'hang') return
    if (fault === 'cut-before' || !(await standStill(call, 'request'))) return void response.destroy()
    if (fault === 'internal' || fault === 'slow-down') {
      const { status, headers, body: text } = toAwsError(call.service, fault)
      return void response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : text)
    }
    const answer = await forward()
    if (fault === 'cut-after' || !(await standStill(call, 'answer'))) return void response.destroy()
    if (fault === 'cut-within') return cutWithin(response, answer)
    answerWith(response, answer)
  }

  const listen = async (name: keyof typeof targets) => {
    const server = createServer((request, response) => {
      relay(targets[name] ?? '', request, response).catch(() => response.destroy())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }
  const aws = await listen('endpoint')
  const dynamodb = await listen('dynamodbEndpoint')
  const queueUrl = (name: string) => `${aws.url}/000000000000/${name}`

  return {
    /** What makes functions call the proxy. */
    env: {
      AWS_ENDPOINT_URL: aws.url,
      AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url,
      UPLOADS_QUEUE_URL: queueUrl('darkroom-uploads'),
      JOBS_QUEUE_URL: queueUrl('darkroom-jobs'),
      BATCHES_QUEUE_URL: queueUrl('darkroom-batches'),
    },
    /** Says where the real ones are, which start after the proxy. */
    follow(stack: { endpoint: string; dynamodbEndpoint: string }): void {
      targets.endpoint = stack.endpoint
      targets.dynamodbEndpoint = stack.dynamodbEndpoint
    },
    fail: (order: Order) => void orders.push({ order, left: order.times ?? Number.POSITIVE_INFINITY, seen: new Map() }),
    clear: () => void orders.splice(0),
    /** Resolves when a call that fits stands still. */
    hold: (at: Place, match: Match) => new Promise<Held>(reached => void holds.push({ at, match, reached })),
    /** How often each fault struck, by service. */
    struck: (): Record<string, number> => Object.fromEntries([...struck].toSorted()),
    async [Symbol.asyncDispose]() {
      agent.destroy()
      for (const { server } of [aws, dynamodb]) {
        server.closeAllConnections()
        await new Promise(resolve => server.close(resolve))
      }
    },
  }
}

const isFunction = ({ headers }: IncomingMessage) =>
  `${headers['user-agent']} ${headers['x-amz-user-agent']}`.includes('exec-env/AWS_Lambda')

type Answer = { status: number; headers: IncomingMessage['headers']; body: Buffer }

async function forwardTo(
  target: string,
  agent: Agent,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
): Promise<Answer> {
  const outgoing = send(new URL(url ?? '/', target), {
    method,
    agent,
    headers: { ...headers, host: new URL(target).host },
  })
  outgoing.end(body)
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  return {
    status: incoming.statusCode ?? 500,
    headers: incoming.headers,
    body: Buffer.concat(await incoming.toArray()),
  }
}

function answerWith(response: ServerResponse, { status, headers, body }: Answer): void {
  const { 'transfer-encoding': _, connection: __, ...rest } = headers
  response.writeHead(status, rest).end(body)
}

function cutWithin(response: ServerResponse, { status, headers, body }: Answer): void {
  const { 'transfer-encoding': _, connection: __, ...rest } = headers
  response.writeHead(status, { ...rest, 'content-length': Math.max(body.length, 2) })
  response.write(body.subarray(0, body.length >> 1), () => response.destroy())
}
