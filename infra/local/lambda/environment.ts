import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../clock.ts'
import { type Invocation, startRuntimeApi } from './runtime-api.ts'

/** How an invocation ended. `cause` tells the function's own error from what the platform saw. */
export type Outcome = { requestId: string; durationMs: number } & (
  | { ok: true; payload: unknown }
  | { ok: false; cause: 'error' | 'timeout' | 'exit' | 'init'; errorType: string; errorMessage: string }
)

type Failure = { errorType: string; errorMessage: string }

/** One process of a function, which runs one invocation at a time. */
export type Environment = {
  readonly id: string
  readonly pid: number | undefined
  /** The request it works on. */
  readonly requestId: string | undefined
  /** Only for an environment that is idle. */
  run(invocation: Invocation): Promise<Outcome>
  /** Ends the process with SIGKILL. */
  kill(): void
  /** Resolves when no trace of it is left. */
  readonly exited: Promise<unknown>
}

export type EnvironmentOptions = {
  id: string
  env: Record<string, string>
  clock: Clock
  timeoutMs: number
  onLine(line: string): void
  onIdle(environment: Environment): void
  /** With the reason when it died before it was ever ready. */
  onExit(environment: Environment, initFailure: Failure | undefined): void
}

// In the machine's time: a process starts no faster because the stack's hours are shorter.
const initTimeoutMs = 30_000

const preload = new URL('./preload.ts', import.meta.url).href
const runtimeClient = fileURLToPath(import.meta.resolve('aws-lambda-ric'))

/**
 * Starts an execution environment: AWS's own runtime client in a process of its own, served by a Runtime API.
 *
 *     starting ──next──▶ idle ──run──▶ busy ──response, error, next──▶ idle
 *        └───────────────┴──────────────┴── exit, timeout, kill ──▶ gone
 */
export async function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const { id, clock, timeoutMs } = options
  let wasReady = false
  let isEnding = false
  let initFailure: Failure | undefined
  let deliver: (invocation: Invocation) => void = () => {}
  let current: { requestId: string; answered?: Unfinished; finish(outcome: Unfinished): void } | undefined

  const answer = (requestId: string, outcome: Unfinished) => {
    if (current?.requestId === requestId) current.answered = outcome
  }
  const api = await startRuntimeApi({
    next() {
      wasReady = true
      const invocation = new Promise<Invocation>(resolve => {
        deliver = resolve
      })
      // Told only now: whoever invokes again at once should find this process idle, not a new one.
      if (current?.answered) current.finish(current.answered)
      // Its last answer may still arrive when the process has been sent its end.
      if (!isEnding) options.onIdle(environment)
      return invocation
    },
    respond: (requestId, body) => answer(requestId, { ok: true, payload: body ? JSON.parse(body) : null }),
    fail: (requestId, body) => answer(requestId, { ok: false, cause: 'error', ...readFailure(body) }),
    failInit(body) {
      initFailure = readFailure(body)
    },
  })
  const child = spawnRuntime({ ...options.env, AWS_LAMBDA_RUNTIME_API: api.address }, options.onLine)
  const kill = () => {
    isEnding = true
    child.kill('SIGKILL')
  }
  const initTimer = setTimeout(() => wasReady || kill(), initTimeoutMs)

  const environment: Environment = {
    id,
    pid: child.pid,
    get requestId() {
      return current?.requestId
    },
    run(invocation) {
      const startedMs = clock.now()
      return new Promise(resolve => {
        const timer = setTimeout(() => {
          const errorMessage = `Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`
          const timedOut = { ok: false, cause: 'timeout', errorType: 'Sandbox.Timedout', errorMessage } as const
          current?.finish(current.answered ?? timedOut)
          kill()
        }, clock.toRealMs(timeoutMs))
        current = {
          requestId: invocation.requestId,
          finish(outcome) {
            clearTimeout(timer)
            current = undefined
            resolve({ ...outcome, requestId: invocation.requestId, durationMs: clock.now() - startedMs })
          },
        }
        deliver(invocation)
      })
    },
    kill,
    exited: once(child, 'close'),
  }
  child.once('exit', (code, signal) => {
    clearTimeout(initTimer)
    api.close()
    const failure = toExitFailure(code, signal)
    current?.finish(current.answered ?? { ok: false, cause: 'exit', ...failure })
    options.onExit(environment, wasReady ? undefined : (initFailure ?? failure))
  })
  return environment
}

type Unfinished = Outcome extends infer O ? (O extends Outcome ? Omit<O, 'requestId' | 'durationMs'> : never) : never

function spawnRuntime(env: Record<string, string>, onLine: (line: string) => void): ChildProcess {
  const child = spawn(process.execPath, ['--import', preload, runtimeClient], {
    cwd: env.LAMBDA_TASK_ROOT,
    env,
    // A group of its own: a Ctrl-C at the terminal is for the host alone, which may wait for the function.
    detached: true,
    // The last one is never written to: it closes when this process ends, however it ends.
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', onLine)
  }
  return child
}

function readFailure(body: string): Failure {
  const { errorType = 'Error', errorMessage = '' } = JSON.parse(body) as Partial<Failure>
  return { errorType, errorMessage }
}

function toExitFailure(code: number | null, signal: string | null): Failure {
  const how = signal ? `signal: ${signal}` : `exit status ${code}`
  return { errorType: 'Runtime.ExitError', errorMessage: `Runtime exited with error: ${how}` }
}
