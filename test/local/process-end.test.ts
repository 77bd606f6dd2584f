import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startFixtureHost } from './fixture-host.ts'

// A process that has ended stays listed as a zombie until its parent, or the system, asks for it.
function isAlive(pid: number): boolean {
  const file = `/proc/${pid}/stat`
  return existsSync(file) && !readFileSync(file, 'utf8').includes(') Z ')
}

test('no process is left when the host is closed', async () => {
  await using host = startFixtureHost()
  const idle = await host.invoke('exit', {})
  const { pid } = (idle.ok ? idle.payload : {}) as { pid: number }
  const hanging = host.invoke('hang', {})
  await once(host.events, 'start')
  expect(isAlive(pid)).toBe(true)
  await host.close()
  expect(isAlive(pid)).toBe(false)
  expect(await hanging).toMatchObject({ ok: false, cause: 'exit' })
  await expect(host.invoke('echo', {})).rejects.toThrow('The Lambda host is closed')
})

test('no process is left when the process of the host is killed while a function works', async () => {
  const script = `
    import { startFixtureHost } from ${JSON.stringify(join(import.meta.dirname, 'fixture-host.ts'))}
    const host = startFixtureHost()
    host.events.on('line', ({ line }) => console.log(line.trim().split(/\\s/).at(-1)))
    host.invoke('hang', {})`
  // A process that is killed cleans nothing up, so its temporary files go where this test can.
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-test-'))
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [chunk] = await once(parent.stdout, 'data')
  const pid = Number(chunk)
  expect(isAlive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await expect.poll(() => isAlive(pid), { timeout: 30_000 }).toBe(false)
  await rm(folder, { recursive: true })
})
