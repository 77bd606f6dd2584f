import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { createWriteStream, existsSync, mkdirSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { type Environment, type Outcome, startEnvironment } from './environment.ts'
import { buildFunctionEnvironment, type FunctionOptions, toFunctionArn } from './function-environment.ts'

export type LogLine = { functionName: string; environmentId: string; requestId: string | undefined; line: string }
export type RunningInvocation = { functionName: string; requestId: string; environmentId: string; event: unknown }
/** How often a function was invoked, how many of these failed, and how many processes were started for it. */
export type Counts = { invocations: number; failures: number; environments: number }

export type LambdaHostEvents = {
  start: [RunningInvocation]
  end: [RunningInvocation, Outcome]
  line: [LogLine]
}

export type LambdaHost = {
  readonly events: EventEmitter<LambdaHostEvents>
  /** Invokes a function and resolves with how it ended; a function's failure does not reject. */
  invoke(functionName: string, event: unknown): Promise<Outcome>
  running(functionName?: string): RunningInvocation[]
  /** Sends SIGKILL to whatever works for this function name or request id, and tells which requests that ended. */
  kill(functionNameOrRequestId: string): string[]
  counts(functionName: string): Counts
  close(): Promise<void>
}

export type LambdaHostOptions = {
  functions: FunctionOptions[]
  env: Record<string, string>
  clock: Clock
  /** One file a function is written here. */
  logFolder: string
}

type Waiting = { event: unknown; resolve(outcome: Outcome): void }
type Pool = {
  options: FunctionOptions
  log: WriteStream
  counts: Counts
  /** All that live, those that are still starting included. */
  environments: Set<Promise<Environment>>
  starting: number
  idle: Environment[]
  waiting: Waiting[]
}

/** Runs functions as Lambda does: a process an environment, used again while it is warm, one invocation at a time. */
export function createLambdaHost({ functions, env, clock, logFolder }: LambdaHostOptions): LambdaHost {
  mkdirSync(logFolder, { recursive: true })
  const events = new EventEmitter<LambdaHostEvents>()
  const running = new Map<string, RunningInvocation & { environment: Environment }>()
  const pools = new Map(functions.map(options => [options.name, createPool(options, logFolder)]))
  let isClosed = false

  const poolOf = (name: string): Pool => {
    const pool = pools.get(name)
    if (!pool) throw new Error(`There is no function ${name}; the host knows ${[...pools.keys()].join(', ') || 'none'}`)
    return pool
  }

  async function run(pool: Pool, environment: Environment, waiting: Waiting): Promise<void> {
    const { name, timeoutMs } = pool.options
    const { event } = waiting
    const requestId = randomUUID()
    const invocation = { functionName: name, requestId, environmentId: environment.id, event }
    running.set(requestId, { ...invocation, environment })
    const functionArn = toFunctionArn(name)
    const finished = environment.run({ requestId, functionArn, deadlineMs: clock.now() + timeoutMs, event })
    events.emit('start', invocation)
    const outcome = await finished
    running.delete(requestId)
    settle(pool, waiting, outcome)
    events.emit('end', invocation, outcome)
  }

  function settle(pool: Pool, { resolve }: Waiting, outcome: Outcome): void {
    if (!outcome.ok) {
      pool.counts.failures += 1
      if (outcome.cause !== 'error') pool.log.write(`${outcome.requestId} ${outcome.errorMessage}\n`)
    }
    resolve(outcome)
  }

  function start(pool: Pool): void {
    const id = randomUUID()
    pool.starting += 1
    pool.counts.environments += 1
    let isStarting = true
    const endStart = () => {
      if (isStarting) pool.starting -= 1
      isStarting = false
    }
    const environment = startEnvironment({
      id,
      clock,
      env: buildFunctionEnvironment(pool.options, id, env, clock),
      timeoutMs: pool.options.timeoutMs,
      onLine(line) {
        pool.log.write(`${line}\n`)
        const requestId = [...running.values()].find(invocation => invocation.environmentId === id)?.requestId
        events.emit('line', { functionName: pool.options.name, environmentId: id, requestId, line })
      },
      onIdle(self) {
        endStart()
        const next = pool.waiting.shift()
        if (next) run(pool, self, next)
        else pool.idle.push(self)
      },
      onExit(self, initFailure) {
        endStart()
        pool.environments.delete(environment)
        pool.idle = pool.idle.filter(other => other !== self)
        const unlucky = initFailure && pool.waiting.shift()
        if (unlucky) settle(pool, unlucky, { ...notStarted(), cause: 'init', ...initFailure })
        if (!isClosed) startMissing(pool)
      },
    })
    pool.environments.add(environment)
  }

  // A process for each invocation that waits, as far as the limit allows.
  function startMissing(pool: Pool): void {
    const room = pool.options.maximumEnvironments - pool.environments.size
    const missing = Math.min(pool.waiting.length - pool.starting, room)
    for (let count = 0; count < missing; count += 1) start(pool)
  }

  async function closePool(pool: Pool): Promise<void> {
    const closed = {
      cause: 'exit',
      errorType: 'Runtime.ExitError',
      errorMessage: 'The Lambda host was closed',
    } as const
    for (const waiting of pool.waiting.splice(0)) settle(pool, waiting, { ...notStarted(), ...closed })
    for (const environment of await Promise.all(pool.environments)) {
      environment.kill()
      await environment.exited
    }
    await new Promise<void>(resolve => pool.log.end(resolve))
  }

  return {
    events,
    async invoke(functionName, event) {
      const pool = poolOf(functionName)
      if (isClosed) throw new Error(`The Lambda host is closed; ${functionName} was not invoked`)
      pool.counts.invocations += 1
      return new Promise(resolve => {
        const environment = pool.idle.pop()
        if (environment) return void run(pool, environment, { event, resolve })
        pool.waiting.push({ event, resolve })
        startMissing(pool)
      })
    },
    running: functionName =>
      [...running.values()]
        .filter(invocation => functionName === undefined || invocation.functionName === functionName)
        .map(({ environment: _, ...invocation }) => invocation),
    kill(wanted) {
      const victims = [...running.values()].filter(it => it.functionName === wanted || it.requestId === wanted)
      for (const { environment } of victims) environment.kill()
      return victims.map(({ requestId }) => requestId)
    },
    counts: functionName => ({ ...poolOf(functionName).counts }),
    async close() {
      if (isClosed) return
      isClosed = true
      await Promise.all([...pools.values()].map(closePool))
    },
  }
}

function createPool(options: FunctionOptions, logFolder: string): Pool {
  if (!existsSync(options.file)) throw new Error(`${options.file} is missing: build the functions with npm run build`)
  const log = createWriteStream(join(logFolder, `${options.name}.log`), { flags: 'a' })
  const counts = { invocations: 0, failures: 0, environments: 0 }
  return { options, log, counts, environments: new Set(), starting: 0, idle: [], waiting: [] }
}

function notStarted() {
  return { ok: false as const, requestId: randomUUID(), durationMs: 0 }
}
