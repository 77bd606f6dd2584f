import { AsyncLocalStorage } from 'node:async_hooks'
import type { PublishCommandInput } from '@aws-sdk/client-sns'
import { createClients } from '../../infra/local/aws/clients.ts'
import { createTable as createLedgerTable } from '../../infra/local/aws/resources.ts'
import { startStorage } from '../../infra/local/aws/storage.ts'
import { startGemini } from '../../infra/local/gemini/server.ts'
import { readTemplate } from '../../infra/local/template.ts'
import { createBatchRows } from '../../lib/aws/batch-rows.ts'
import { createBudgets } from '../../lib/aws/budgets.ts'
import { callAws } from '../../lib/aws/faults.ts'
import { createGates } from '../../lib/aws/gates.ts'
import { createLatest } from '../../lib/aws/latest.ts'
import { createLedger } from '../../lib/aws/ledger.ts'
import { createSendAgain } from '../../lib/aws/messages.ts'
import { createPace } from '../../lib/aws/pace.ts'
import { createParking } from '../../lib/aws/parking.ts'
import { createRecipeBucket } from '../../lib/aws/recipe-bucket.ts'
import { createRows } from '../../lib/aws/rows.ts'
import { createSessions } from '../../lib/aws/sessions.ts'
import { createStorage } from '../../lib/aws/storage.ts'
import { createTable } from '../../lib/aws/table.ts'
import { createTopic } from '../../lib/aws/topic.ts'
import { collect } from '../../lib/batches/collect.ts'
import type { BatchDesk } from '../../lib/batches/desk.ts'
import { createEndRow } from '../../lib/batches/ends.ts'
import { submit } from '../../lib/batches/submit.ts'
import { answerWebhook, type UrlEvent } from '../../lib/batches/webhook.ts'
import { createEdit, type Deps } from '../../lib/edit.ts'
import { EditError } from '../../lib/errors.ts'
import { createGeminiBatches } from '../../lib/gemini/batches.ts'
import { createGemini } from '../../lib/gemini/client.ts'
import { createGeminiFiles } from '../../lib/gemini/files.ts'
import { openJobMessage } from '../../lib/intake.ts'
import type { Result } from '../../lib/result.ts'
import { networkError } from './aws.ts'

const MINUTE = 60_000

export type Lane = Awaited<ReturnType<typeof openLane>>

/**
 * The batch lane in this process, on real services and the stand-in: its clock is moved by the test, and its power can be
 * cut after any call to the world outside. The two queues are lists, whose messages the test delivers.
 */
export async function openLane() {
  const template = readTemplate(process.cwd())
  let time = Date.now()
  const now = () => time
  const aws = await startStorage({
    folder: undefined,
    onCall: undefined,
    clockFactor: 1,
    clockStart: { realMs: time, virtualMs: time },
    resources: { buckets: template.buckets, queues: template.queues, topics: template.topics, feeds: [] },
  })
  const gemini = await startGemini({ now, sleep: () => new Promise(() => {}) })
  const power = createPower()
  const { destroy, ...clients } = createClients(aws)
  for (const table of template.tables) await createLedgerTable(clients.dynamodb, table)
  const env = template.environment(aws.endpoint) as Record<string, string>
  const bucket = env.RESULTS_BUCKET as string
  const bare = createStorage(createClients(aws).s3)
  const published: string[] = []
  for (const [name, client] of Object.entries(clients)) cable(name, client, power)
  clients.sns.middlewareStack.add(
    next => args => {
      published.push((JSON.parse((args.input as PublishCommandInput).Message ?? '{}') as { id: string }).id)
      return next(args)
    },
    { step: 'initialize' },
  )
  const jobs: string[] = []
  const batches: string[] = []
  const logs: { message: string; fields: Record<string, unknown> }[] = []
  const note = (message: string, fields: Record<string, unknown>) => void logs.push({ message, fields })
  const log = { info: note, warn: note, error: note }
  const storage = createStorage(clients.s3)
  const rows = createRows(clients.dynamodb, env.LEDGER_TABLE as string)
  const table = createTable(clients.dynamodb, env.LEDGER_TABLE as string, now)
  /** The key that we have, and what Google answers in the place of the stand-in, where it does. */
  const network: { key: string; answer: (path: string) => Response | undefined } = {
    key: gemini.apiKey,
    answer: () => undefined,
  }
  const apiKey = { read: async () => network.key, forget() {} }
  const fetchIt: typeof fetch = (input, init) =>
    power.step(
      `${init?.method ?? 'GET'} ${String(input)
        .replace(gemini.baseUrl, '')
        .replace(/[0-9a-f-]{12,}|\?.*/g, '…')}`,
      async () => network.answer(new URL(String(input)).pathname) ?? fetch(input, init),
    )
  const google = { apiKey, baseUrl: gemini.baseUrl, fetch: fetchIt, now }
  const deps: Deps = {
    ledger: createLedger(table, now),
    parking: createParking(table, now),
    sessions: createSessions(clients.dynamodb, env.LEDGER_TABLE as string, now),
    sendAgain: createSendAgain(clients.sqs),
    files: createGeminiFiles(google),
    gates: createGates(rows, now),
    pace: createPace(rows, now),
    budgets: createBudgets(rows, now),
    latest: createLatest(clients.s3),
    storage,
    recipes: createRecipeBucket(storage, env.RECIPES_BUCKET as string, now, () => undefined),
    topic: createTopic(clients.sns, env.RESULTS_TOPIC_ARN as string),
    gemini: createGemini(google),
    resultsBucket: bucket,
    inputBuckets: [],
    now,
    log,
  }
  /** When a batch's message may be seen. */
  const due = new Map<string, number>()
  const queue =
    (list: string[], what: string) =>
    (body: string, delayMs = 0) =>
      callAws(`sqs:SendMessage of ${what}`, () =>
        power.step(`queue ${what}`, async () => {
          list.push(body)
          due.set(body, time + delayMs)
        }),
      )
  const desk: BatchDesk = {
    ...deps,
    log,
    batches: createBatchRows(table, now),
    google: createGeminiBatches(google),
    queueBatch: queue(batches, 'a batch'),
  }
  const endRow = createEndRow({ ...deps, queueJob: queue(jobs, 'a job') })
  const edit = createEdit(deps)
  const deadlineAt = () => time + 5 * MINUTE

  return {
    gemini,
    network,
    power,
    desk,
    logs,
    published,
    jobs,
    batches,
    now,
    bucket,
    storage: bare,
    pass(minutes: number) {
      time += minutes * MINUTE
    },
    send: (job: { id: string } & Record<string, unknown>) =>
      edit(
        openJobMessage(JSON.stringify({ operation: 'generate', prompt: `a lake <${job.id}>`, lane: 'batch', ...job }), {
          messageId: job.id,
          firstSeenAt: time,
        }),
        { deadlineAt: deadlineAt() },
      ),
    webhook: (event: UrlEvent, secret: string) =>
      answerWebhook({ ...desk, secret: { read: async () => secret, forget() {} } }, event),
    submit: () => submit(desk, { deadlineAt: deadlineAt() + 10 * MINUTE }),
    collect: (id: string, minutes = 5) => collect(desk, endRow, id, { deadlineAt: time + minutes * MINUTE }),
    /** Delivers what is on the queues, as often as something is, with time passing between. */
    async deliver() {
      while (batches.length + jobs.length > 0) {
        const batch = batches.shift()
        time = Math.max(time, due.get(batch ?? '') ?? 0)
        if (batch) await collect(desk, endRow, batch, { deadlineAt: deadlineAt() })
        const body = jobs.shift()
        if (!body) continue
        time += 16 * MINUTE
        await edit(openJobMessage(body, { messageId: 'm', firstSeenAt: time }), { deadlineAt: deadlineAt() })
      }
    },
    async settings(settings: unknown) {
      const body = JSON.stringify(settings)
      await bare.write(env.RECIPES_BUCKET as string, 'settings.json', body, { contentType: 'application/json' })
      time += 2 * MINUTE
    },
    /** Ticks and deliveries until nothing moves any more; Google ends its batches in between. */
    async run(ticks = 4) {
      for (let tick = 0; tick < ticks; tick += 1) {
        await this.submit()
        await gemini.batches.finish()
        await this.deliver()
        time += 5 * MINUTE
      }
    },
    async result(id: string): Promise<Result | undefined> {
      const bytes = await bare.read(`s3://${bucket}/jobs/${id}/result.json`)
      return bytes && (JSON.parse(bytes.toString()) as Result)
    },
    row: (id: string) => deps.ledger.show(id),
    keys: (prefix: string) => bare.list(bucket, prefix),
    /** How often the stand-in was paid for a job, in either lane. */
    paid: (id: string) => gemini.calls.filter(call => call.prompt.includes(`<${id}>`)).length,
    async close() {
      await gemini.close()
      destroy()
      await aws.close()
    },
  }
}

/** Counts calls to the world outside, and after one of them lets the process die: that call's answer never comes, nor any other's. */
function createPower() {
  type Life = { left: number; isDead: boolean; die: () => void }
  const lives = new AsyncLocalStorage<Life>()
  const outages = new AsyncLocalStorage<{ isDown: (step: string) => boolean }>()
  let steps: string[] = []
  const never = () => new Promise<never>(() => {})
  return {
    async step<T>(name: string, call: () => Promise<T>): Promise<T> {
      const life = lives.getStore()
      if (life?.isDead) return never()
      steps.push(name)
      if (outages.getStore()?.isDown(name)) throw networkError('ECONNRESET')
      if (!life) return call()
      life.left -= 1
      if (life.left > 0) {
        const answer = await call()
        return life.isDead ? never() : answer
      }
      life.isDead = true
      await call().catch(() => undefined)
      life.die()
      return never()
    },
    /** Runs something whose power is cut after its nth call; resolves when it is dead, or done before. */
    cutAfter(calls: number, run: () => Promise<unknown>): Promise<unknown> {
      return new Promise<unknown>((resolve, reject) => {
        const life = { left: calls, isDead: false, die: () => resolve(undefined) }
        lives.run(life, () => run().then(resolve, reject))
      })
    },
    /** Runs something whose nth call fails, and as many after it as are said; resolves when it is over, well or badly. */
    async failAt(first: number, calls: number, run: () => Promise<unknown>): Promise<void> {
      let count = 0
      const isDown = () => {
        count += 1
        return count >= first && count < first + calls
      }
      await this.failWhere(isDown, run)
    },
    /** Runs something whose calls fail where `isDown` says so of their names. What it rejects with must be an outage's. */
    async failWhere(isDown: (step: string) => boolean, run: () => Promise<unknown>): Promise<void> {
      await outages.run({ isDown }, run).catch((error: unknown) => {
        if (!(error instanceof EditError)) throw error
      })
    },
    /** The names of the calls of a run. */
    async watch(run: () => Promise<unknown>): Promise<string[]> {
      steps = []
      await run()
      return steps
    },
  }
}

type AnyClient = { send: (...args: never[]) => Promise<unknown> }

function cable(name: string, client: object, power: ReturnType<typeof createPower>): void {
  const wired = client as AnyClient
  const send = wired.send.bind(client)
  wired.send = (...args: never[]) => {
    const [command] = args as unknown as [{ constructor: { name: string }; input: Record<string, unknown> }]
    const { Key, Bucket } = command.input as { Key?: unknown; Bucket?: string }
    const key = typeof Key === 'object' && Key ? (Key as { pk: { S: string } }).pk.S : (Key ?? '')
    const label = `${command.constructor.name.replace('Command', '')} ${name === 's3' && !Key ? Bucket : key}`
    return power.step(label.replace(/[0-9a-f-]{20,}/g, '…'), () => send(...args))
  }
}
