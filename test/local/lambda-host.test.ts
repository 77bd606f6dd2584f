import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createClock } from '../../infra/local/clock.ts'
import type { LogLine } from '../../infra/local/lambda/host.ts'
import { type FixtureHost, startFixtureHost } from './fixture-host.ts'

let host: FixtureHost

beforeEach(() => {
  host = startFixtureHost()
})
afterEach(() => host[Symbol.asyncDispose]())

async function payloadOf<T>(name: string, event: unknown): Promise<T> {
  const outcome = await host.invoke(name, event)
  if (!outcome.ok) throw new Error(`${name}: ${outcome.errorMessage}`)
  return outcome.payload as T
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
    expect(host.counts('echo').environments).toBe(1)

    for (const event of [1, 2]) host.invoke('hang', event)
    await expect.poll(() => new Set(host.running('hang').map(({ environmentId }) => environmentId)).size).toBe(2)
  })

  test('waits for a process when there are as many as there may be', async () => {
    const all = await Promise.all(Array.from({ length: 7 }, (_, index) => payloadOf<Echo>('echo', index)))
    expect(all.map(({ event }) => event)).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(host.counts('echo')).toEqual({ invocations: 7, failures: 0, environments: 2 })
  })

  test('of a function that nobody knows is refused by name', async () => {
    await expect(host.invoke('ehco', {})).rejects.toThrow('There is no function ehco; the host knows echo, hang')
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

  test('because its time by the clock of the stack is over has its process killed', async () => {
    await using quick = startFixtureHost({ clock: createClock(3_600), timeoutMs: 300_000 })
    const began = performance.now()
    const outcome = await quick.invoke('hang', {})
    expect(outcome).toMatchObject({
      ok: false,
      cause: 'timeout',
      errorType: 'Sandbox.Timedout',
      errorMessage: 'Task timed out after 300.00 seconds',
    })
    expect(outcome.durationMs).toBeGreaterThanOrEqual(290_000)
    expect(performance.now() - began).toBeLessThan(60_000)
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
  expect(await readFile(join(host.logFolder, 'echo.log'), 'utf8')).toContain(lines[0]?.line)
})
