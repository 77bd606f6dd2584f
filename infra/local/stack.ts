import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AwsCall } from './aws/call-record.ts'
import { type Clients, createClients } from './aws/clients.ts'
import { createTable } from './aws/resources.ts'
import { startStorage } from './aws/storage.ts'
import type { Clock } from './clock.ts'
import { openClock } from './clock-file.ts'
import { startFunctionUrls } from './function-urls.ts'
import { buildEnvironment, selectFunctions, startPollers, toErrorLog, toQueueUrl } from './functions.ts'
import { createLambdaHost, type LambdaHost, type LogLine } from './lambda/host.ts'
import type { QueuePoller } from './lambda/queue-poller.ts'
import { mirrorRecipes } from './recipes.ts'
import { type Schedule, startSchedules } from './schedules.ts'
import { readTemplate, type Template } from './template.ts'

export type StackOptions = {
  /**
   * Keeps everything over a restart.
   * @default a folder for temporary files, removed at the end, with the services in memory
   */
  stateFolder?: string
  /**
   * Virtual seconds in a real one.
   * @default 1
   */
  clockFactor?: number
  /**
   * What the stack's clock says first, in milliseconds since 1970.
   * @default now
   */
  startsAt?: number
  /**
   * The functions that run; the queues of the others fill up.
   * @default all that `serverless.yml` names
   */
  functions?: readonly string[]
  /** Files that export `handler`, by function name, in the place of the built ones. */
  handlerFiles?: Record<string, string>
  /** @default `dist/functions` of the project */
  distFolder?: string
  /** More environment for the functions; undefined takes a variable away. */
  env?: Record<string, string | undefined>
  /**
   * Where the functions find Gemini; without `baseUrl` at Google.
   * @default a key that opens nothing, at an address where nobody listens
   */
  gemini?: { baseUrl?: string; apiKey: string }
  /** More schedules than `serverless.yml` switches on. */
  schedules?: readonly Schedule[]
  /** Told every call to AWS; each function calls with the access key id `local-<name>`. */
  onAwsCall?: (call: AwsCall) => void
  /** Told each line that a function writes. */
  log?: (line: LogLine) => void
  /**
   * Starts with the pollers paused.
   * @default false
   */
  paused?: boolean
}

/** The whole of Darkroom on this machine: the services, the functions as built and the pollers between them. */
export type Stack = AsyncDisposable &
  Omit<Clients, 'destroy'> & {
    readonly clock: Clock
    /** What the functions get: names, URLs and addresses under the names that the design gives them. */
    readonly env: Readonly<Record<string, string>>
    readonly lambda: LambdaHost
    /** By function name. */
    readonly pollers: Readonly<Record<string, QueuePoller>>
    readonly stateFolder: string
    /** S3, SQS and SNS. */
    readonly endpoint: string
    readonly dynamodbEndpoint: string
    /** The URL of a queue by its local name, for one `darkroom-jobs-dead-letter`. */
    queueUrl(name: string): string
    /** Addresses of the functions that have one, by function name. */
    readonly functionUrls: Readonly<Record<string, string>>
    /** A queue that gets every message of the results topic, as it was published. */
    readonly resultsFeedUrl: string
    pausePollers(): Promise<void>
    resumePollers(): void
    /** Ends everything in order. May be called twice. */
    close(): Promise<void>
    /** Ends everything as a power cut would; only a given state folder remains. */
    kill(): Promise<void>
  }

const project = fileURLToPath(new URL('../..', import.meta.url))
const resultsFeed = 'results-feed'

/** Starts the local stack on free ports of the loopback. What had started is closed when the rest fails to. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  await using starting = new AsyncDisposableStack()
  const stateFolder = openStateFolder(options.stateFolder, starting)
  const clock = openClock(stateFolder, options.clockFactor ?? 1, options.startsAt)
  const template = readTemplate(project)

  const storage = await startStorage({
    folder: options.stateFolder && join(stateFolder, 'aws'),
    clockFactor: clock.factor,
    clockStart: clock.start,
    resources: toFauxqsResources(template),
    onCall: options.onAwsCall,
  })
  starting.defer(storage.close)
  const { destroy, ...clients } = createClients(storage)
  starting.defer(destroy)
  const env = buildEnvironment(template, storage, options)
  await Promise.all(template.tables.map(table => createTable(clients.dynamodb, table)))
  await mirrorRecipes(clients.s3, env.RECIPES_BUCKET ?? '', join(project, 'infra/recipes'))

  const distFolder = options.distFolder ?? join(project, 'dist/functions')
  const functions = selectFunctions(template, options, distFolder)
  const logFolder = join(stateFolder, 'logs')
  const lambda = createLambdaHost({ functions, env, clock, logFolder })
  if (options.log) lambda.events.on('line', options.log)
  const paused = options.paused ?? false
  const pollers = startPollers({ template, functions, sqs: clients.sqs, storage, lambda, logFolder, paused })
  const schedules = startSchedules({
    schedules: [...template.schedules, ...(options.schedules ?? [])].filter(({ functionName }) =>
      functions.some(({ name }) => name === functionName),
    ),
    clock,
    invoke: lambda.invoke,
    onError: toErrorLog(logFolder, 'schedules'),
  })
  const pausePollers = async () => {
    await Promise.all(Object.values(pollers).map(poller => poller.pause()))
  }
  const urls = await startFunctionUrls(template, functions, lambda)
  starting.defer(async () => {
    await Promise.all(urls.map(({ close }) => close()))
    await schedules.close()
    await pausePollers()
    // Not waited for: a batch may take its five minutes, and its messages are safe in the queue.
    await lambda.close()
    await Promise.all(Object.values(pollers).map(poller => poller.close()))
  })

  const running = starting.move()
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= running.disposeAsync()
    return closing
  }
  return {
    ...clients,
    clock,
    env,
    lambda,
    pollers,
    stateFolder,
    endpoint: storage.endpoint,
    dynamodbEndpoint: storage.dynamodbEndpoint,
    queueUrl: name => toQueueUrl(storage, name),
    functionUrls: Object.fromEntries(urls.map(({ name, url }) => [name, url])),
    resultsFeedUrl: toQueueUrl(storage, resultsFeed),
    pausePollers,
    resumePollers() {
      for (const poller of Object.values(pollers)) poller.resume()
    },
    close,
    async kill() {
      await Promise.all([storage.kill(), lambda.close()])
      await close()
    },
    [Symbol.asyncDispose]: close,
  }
}

function openStateFolder(given: string | undefined, starting: AsyncDisposableStack): string {
  if (given !== undefined) {
    mkdirSync(given, { recursive: true })
    return given
  }
  const folder = mkdtempSync(join(tmpdir(), 'darkroom-'))
  starting.defer(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function toFauxqsResources({ buckets, queues, topics }: Template) {
  const feeds = [{ queueName: resultsFeed, topicName: 'darkroom-results' }]
  return { buckets, queues, topics, feeds }
}
