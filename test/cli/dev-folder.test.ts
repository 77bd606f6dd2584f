import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { watchDrops } from '../../infra/cli/drop-folder.ts'
import { explainLine } from '../../infra/cli/waits.ts'
import { Refusal } from '../../infra/deploy/refusal.ts'
import { until } from '../helpers/darkroom.ts'

async function openFolders() {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-drops-'))
  const state = await mkdtemp(join(tmpdir(), 'darkroom-state-'))
  const stop = new AbortController()
  onTestFinished(async () => {
    stop.abort()
    await Promise.all([folder, state].map(path => rm(path, { recursive: true, force: true })))
  })
  return { folder, state, memory: join(state, 'taken.json'), signal: stop.signal }
}

test('a file that cannot be taken is a sentence, and the others are taken', async () => {
  const { folder, state, memory, signal } = await openFolders()
  await writeFile(join(folder, 'bad.jpg'), 'one')
  const keys: string[] = []
  const told: string[] = []
  const take = async (key: string) => {
    if (key === 'bad.jpg') throw new Error('EACCES: permission denied')
    keys.push(key)
  }
  await watchDrops({ folder, memory }, take, signal, sentence => void told.push(sentence))
  await until('it is told', () => told.length === 1)
  expect(told).toEqual([`${join(folder, 'bad.jpg')}: EACCES: permission denied`])
  await rm(state, { recursive: true })
  await writeFile(join(folder, 'good.jpg'), 'two')
  await until('the next is remembered in a folder that was gone', () => existsSync(memory))
  expect(keys).toEqual(['good.jpg'])
})

test('a folder that was removed and made anew is watched again', async () => {
  const { folder, memory, signal } = await openFolders()
  const keys: string[] = []
  await watchDrops({ folder, memory }, async key => void keys.push(key), signal)
  await rm(folder, { recursive: true })
  await mkdir(join(folder, 'woodcut'), { recursive: true })
  await writeFile(join(folder, 'woodcut/a.jpg'), 'one')
  await until('what lies in it is taken', () => keys.includes('woodcut/a.jpg'))
  await writeFile(join(folder, 'b.jpg'), 'two')
  await until('what comes into it is taken', () => keys.includes('b.jpg'))
})

test('a list of what was taken that cannot be read says what deleting it costs', async () => {
  const { folder, memory, signal } = await openFolders()
  await writeFile(memory, '{"a.jpg": "1-')
  const starting = watchDrops({ folder, memory }, async () => expect.fail('nothing may be taken'), signal)
  await expect(starting).rejects.toThrow(Refusal)
  await expect(starting).rejects.toThrow(/taken\.json.* if you delete it, every photo in .* paid for, again/)
})

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
