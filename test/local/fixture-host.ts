import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClock } from '../../infra/local/clock.ts'
import { createLambdaHost, type LambdaHost } from '../../infra/local/lambda/host.ts'

const names = ['echo', 'hang', 'exit', 'reject', 'init-error', 'clocks']

export type FixtureHost = LambdaHost & AsyncDisposable & { logFolder: string }

export const fixtureFile = (name: string) => join(import.meta.dirname, 'fixtures', `${name}.mjs`)

/** A Lambda host of the fixtures, two processes each, with a log folder that goes when it goes. */
export function startFixtureHost({ clock = createClock(), timeoutMs = 3_000 } = {}): FixtureHost {
  const logFolder = mkdtempSync(join(tmpdir(), 'darkroom-test-'))
  const shared = { timeoutMs, memoryMb: 512, maximumEnvironments: 2 }
  const functions = names.map(name => ({ name, file: fixtureFile(name), ...shared }))
  const host = createLambdaHost({ functions, env: { GREETING: 'hello' }, clock, logFolder })
  return {
    ...host,
    logFolder,
    async [Symbol.asyncDispose]() {
      await host.close()
      rmSync(logFolder, { recursive: true })
    },
  }
}
