import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { watchDrops } from '../../infra/cli/drop-folder.ts'
import { explainLine } from '../../infra/cli/waits.ts'
import { until } from '../helpers/darkroom.ts'

test('a restart takes only what is new or has changed: nothing is paid for twice', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-drops-'))
  const state = await mkdtemp(join(tmpdir(), 'darkroom-state-'))
  const place = { folder, memory: join(state, 'taken.json') }
  onTestFinished(async () => {
    await Promise.all([folder, state].map(path => rm(path, { recursive: true })))
  })
  const start = async () => {
    const stop = new AbortController()
    const keys: string[] = []
    await watchDrops(place, async key => void keys.push(key), stop.signal)
    return { keys, stop: () => stop.abort() }
  }
  await writeFile(join(folder, 'a.jpg'), 'one')
  await writeFile(join(folder, 'b.jpg'), 'two')
  const first = await start()
  await until('both are taken', () => first.keys.length === 2)
  first.stop()

  await writeFile(join(folder, 'b.jpg'), 'two, retouched')
  await writeFile(join(folder, 'c.jpg'), 'three')
  const second = await start()
  await until('what is new is taken', () => second.keys.length >= 2)
  second.stop()
  expect(second.keys.toSorted()).toEqual(['b.jpg', 'c.jpg'])
})

test('a waiting job says why, until when and what to do; a job that is over says nothing here', () => {
  const fields = { code: 'ERR_GEMINI_UNAVAILABLE', reason: 'Gemini cannot be reached: ENOTFOUND', delayMs: 17_154 }
  expect(explainLine(JSON.stringify({ message: 'job waits', ...fields }))).toBe(
    'waiting: ERR_GEMINI_UNAVAILABLE: Gemini cannot be reached: ENOTFOUND; next try in 18 s. Nothing: the job is tried again.',
  )
  expect(explainLine(JSON.stringify({ message: 'message is no job', ...fields }))).toMatch(/^dead letter: ERR_/)
  expect(explainLine(JSON.stringify({ message: 'job over', ...fields }))).toBeUndefined()
  expect(explainLine('START RequestId: 1')).toBeUndefined()
})
