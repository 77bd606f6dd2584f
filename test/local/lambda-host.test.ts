import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createClock } from '../../infra/local/clock.ts'
import { createLambdaHost, type LambdaHost, type LogLine } from '../../infra/local/lambda/host.ts'

const fixture = (name: string) => join(import.meta.dirname, 'fixtures', `${name}.mjs`)
const names = ['echo', 'sleep', 'hang', 'exit', 'reject', 'init-error', 'clocks']

let logFolder: string
let host: LambdaHost

beforeAll(async () => {
  logFolder = await mkdtemp(join(tmpdir(), 'darkroom-test-'))
})
afterAll(() => rm(logFolder, { recursive: true }))

const start = (clock = createClock(), timeoutMs = 3_000) =>
  createLambdaHost({
    functions: names.map(name => ({ name, file: fixture(name), timeoutMs, memoryMb: 512, maximumEnvironments: 2 })),
    env: { GREETING: 'hello' },
    clock,
    logFolder,
  })

beforeEach(() => {
  host = start()
})
afterEach(() => host.close())

async function payloadOf<T>(name: string, event: unknown): Promise<T> {
  const outcome = await host.invoke(name, event)
  if (!outcome.ok) throw new Error(`${name}: ${outcome.errorMessage}`)
  return outcome.payload as T
}

// A process that has ended stays listed as a zombie until its parent, or the system, asks for it.
function isAlive(pid: number): boolean {
  const file = `/proc/${pid}/stat`
  return existsSync(file) && !readFileSync(file, 'utf8').includes(') Z ')
}

describe('an invocation', () => {
  type Echo = {
    event: unknown
    context: Record<string, string>
    remainingMs: number
    invocations: number
    pid: number
    env: Record<string, string>
  }

  test('sees what it would see in Lambda', async () => {
    const { event, context, remainingMs, env } = await payloadOf<Echo>('echo', { text: 'ä😀' })
    expect(event).toEqual({ text: 'ä😀' })
    expect(context).toMatchObject({
      functionName: 'echo',
      functionVersion: '$LATEST',
      memoryLimitInMB: '512',
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:echo',
      awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    expect(remainingMs).toBeGreaterThan(2_000)
    expect(remainingMs).toBeLessThanOrEqual(3_000)
    expect(env).toMatchObject({ AWS_LAMBDA_FUNCTION_NAME: 'echo', AWS_REGION: 'us-east-1', GREETING: 'hello' })
    expect(env).not.toHaveProperty('HOME')
  })

  test('finds its process warm, and does not share it with another that runs', async () => {
    const first = await payloadOf<Echo>('echo', 1)
    const second = await payloadOf<Echo>('echo', 2)
    expect(second).toMatchObject({ pid: first.pid, invocations: 2 })

    for (const event of [1, 2]) host.invoke('hang', event)
    await expect.poll(() => new Set(host.running('hang').map(({ environmentId }) => environmentId)).size).toBe(2)
  })

  test('waits for a process when there are as many as there may be', async () => {
    const all = await Promise.all(Array.from({ length: 7 }, (_, index) => payloadOf<Echo>('echo', index)))
    expect(all.map(({ event }) => event)).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(host.counts('echo')).toEqual({ invocations: 7, failures: 0, environments: 2 })
  })

  test('of a function that nobody knows is refused by name', () => {
    expect(() => host.invoke('ehco', {})).toThrow('There is no function ehco; the host knows echo, sleep')
  })
})

describe('an invocation that fails', () => {
  test("with the function's own error keeps its process", async () => {
    const before = await payloadOf<{ pid: number }>('reject', {})
    expect(await host.invoke('reject', { message: 'no such cup' })).toMatchObject({
      ok: false,
      cause: 'error',
      errorType: 'RangeError',
      errorMessage: 'no such cup',
    })
    expect(await payloadOf('reject', {})).toEqual(before)
  })

  test('because its process ended gets another process the next time', async () => {
    const before = await payloadOf<{ pid: number }>('exit', {})
    expect(await host.invoke('exit', { code: 3 })).toMatchObject({
      ok: false,
      cause: 'exit',
      errorType: 'Runtime.ExitError',
      errorMessage: 'Runtime exited with error: exit status 3',
    })
    expect(await payloadOf<{ pid: number }>('exit', {})).not.toEqual(before)
  })

  test('because the module throws tells what it threw, each time anew', async () => {
    const failure = { ok: false, cause: 'init', errorType: 'TypeError', errorMessage: 'the configuration is wrong' }
    expect(await host.invoke('init-error', {})).toMatchObject(failure)
    expect(await host.invoke('init-error', {})).toMatchObject(failure)
    expect(host.counts('init-error')).toEqual({ invocations: 2, failures: 2, environments: 2 })
  })

  test('because its time is over has its process killed', async () => {
    await using quick = Object.assign(start(createClock(), 200), { [Symbol.asyncDispose]: () => quick.close() })
    const outcome = await quick.invoke('hang', {})
    expect(outcome).toMatchObject({
      ok: false,
      cause: 'timeout',
      errorType: 'Sandbox.Timedout',
      errorMessage: 'Task timed out after 0.20 seconds',
    })
    expect(outcome.durationMs).toBeGreaterThanOrEqual(199)
    expect(quick.running()).toEqual([])
  })
})

describe('a test can kill', () => {
  const started = () => once(host.events, 'start')

  test('whatever runs for a function', async () => {
    const outcome = host.invoke('hang', { n: 1 })
    await started()
    const [running] = host.running('hang')
    expect(running).toMatchObject({ functionName: 'hang', event: { n: 1 } })
    expect(host.kill('hang')).toEqual([running?.requestId])
    expect(await outcome).toMatchObject({
      ok: false,
      cause: 'exit',
      requestId: running?.requestId,
      errorMessage: 'Runtime exited with error: signal: SIGKILL',
    })
  })

  test('one invocation and leave the other', async () => {
    const outcomes = [host.invoke('hang', 'a'), host.invoke('hang', 'b')]
    await expect.poll(() => host.running('hang').length).toBe(2)
    const victim = host.running('hang').find(({ event }) => event === 'b')
    host.kill(victim?.requestId ?? '')
    expect(await outcomes[1]).toMatchObject({ ok: false, cause: 'exit' })
    expect(host.running('hang').map(({ event }) => event)).toEqual(['a'])
  })
})

test('each line that a function writes is told with its request, and kept in a file', async () => {
  const lines: LogLine[] = []
  host.events.on('line', line => lines.push(line))
  const { requestId } = await host.invoke('echo', {})
  await expect.poll(() => lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({ functionName: 'echo', line: expect.stringContaining('echo 1') })
  expect(lines[0]?.line).toContain(requestId)
  await host.close()
  expect(await readFile(join(logFolder, 'echo.log'), 'utf8')).toContain(lines[0]?.line)
})

test('no process is left when the host is closed', async () => {
  const { pid } = await payloadOf<{ pid: number }>('exit', {})
  const hanging = host.invoke('hang', {})
  await once(host.events, 'start')
  expect(isAlive(pid)).toBe(true)
  await host.close()
  expect(isAlive(pid)).toBe(false)
  expect(await hanging).toMatchObject({ ok: false, cause: 'exit' })
  await expect(host.invoke('echo', {})).rejects.toThrow('The Lambda host is closed')
})

test('no process is left when the process of the host is killed', async () => {
  const module = (path: string) => JSON.stringify(join(import.meta.dirname, '../../infra/local', path))
  const script = `
    import { createLambdaHost } from ${module('lambda/host.ts')}
    import { createClock } from ${module('clock.ts')}
    const options = { name: 'exit', file: ${JSON.stringify(fixture('exit'))}, timeoutMs: 3000, memoryMb: 512 }
    const functions = [{ ...options, maximumEnvironments: 1 }]
    const host = createLambdaHost({ functions, env: {}, clock: createClock(), logFolder: ${JSON.stringify(logFolder)} })
    const { payload } = await host.invoke('exit', {})
    console.log(payload.pid)`
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [chunk] = await once(parent.stdout, 'data')
  const pid = Number(chunk)
  expect(isAlive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false)
})

test('ten hours pass in a second, in every way that a function can wait for it', async () => {
  const hourMs = 3_600_000
  await using fast = Object.assign(start(createClock(36_000), 10 * hourMs), {
    [Symbol.asyncDispose]: () => fast.close(),
  })
  const ways = ['setTimeout', 'setInterval', 'promisified', 'scheduler.wait', 'AbortSignal.timeout']
  const promised = ['timers/promises setTimeout', 'timers/promises setInterval']
  const began = performance.now()
  for (const way of [...ways, ...promised]) {
    const outcome = await fast.invoke('clocks', { way })
    if (!outcome.ok) throw new Error(`${way}: ${outcome.errorMessage}`)
    const { sleptMs, remainingFellMs, isDate } = outcome.payload as Record<string, number>
    // Timers may fire a real millisecond early, which is 36 virtual seconds.
    expect(sleptMs, way).toBeGreaterThan(hourMs - 40_000)
    expect(sleptMs, way).toBeLessThan(1.5 * hourMs)
    expect(Math.abs((remainingFellMs ?? 0) - (sleptMs ?? 0)), way).toBeLessThan(600_000)
    expect(isDate, way).toBe(true)
  }
  expect(performance.now() - began).toBeLessThan(5_000)
})
