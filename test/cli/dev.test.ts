import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../helpers/darkroom.ts'
import { photo } from '../helpers/photos.ts'

const project = join(import.meta.dirname, '../..')

function startDev(cwd: string): { dev: ChildProcess; output: () => string; ended: Promise<unknown> } {
  const { GEMINI_API_KEY: _, ...env } = process.env
  const dev = spawn(process.execPath, [join(project, 'infra/cli/dev.ts')], { cwd, env })
  const chunks: Buffer[] = []
  dev.stdout.on('data', chunk => chunks.push(chunk))
  dev.stderr.on('data', chunk => chunks.push(chunk))
  const ended = once(dev, 'close')
  onTestFinished(async () => {
    dev.kill('SIGKILL')
    await ended
  })
  return { dev, output: () => Buffer.concat(chunks).toString(), ended }
}

async function openFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-dev-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await cp(join(project, 'infra/recipes'), join(folder, 'infra/recipes'), { recursive: true })
  return folder
}

/** What a command prints in a shell that knows of dev. */
async function inShell(folder: string, command: string): Promise<string> {
  const script = `. "$1" && cd "$2" && ${command}`
  const args = ['-c', script, 'sh', join(folder, '.darkroom/env'), project]
  return (await promisify(execFile)('sh', args)).stdout
}

/** Drops a photo whose edit takes so long, and waits until it is with Gemini. */
async function startEdit(folder: string, ms: number): Promise<void> {
  const gemini = (await inShell(folder, 'echo "$GOOGLE_GEMINI_BASE_URL"')).trim()
  const order = { method: 'POST', body: JSON.stringify({ fault: 'slow', ms, times: 1 }) }
  expect((await fetch(`${gemini}/control/faults`, order)).status).toBe(200)
  await copyFile(photo('nagasaki-boats'), join(folder, 'darkroom-in/woodcut/boats.jpg'))
  await until('Gemini is asked', async () => {
    const { inFlight } = (await (await fetch(`${gemini}/control/calls`)).json()) as { inFlight: number }
    return inFlight === 1
  })
}

test('a photo in a folder comes out as a print, by a recipe that was written meanwhile, until Ctrl-C', async () => {
  const folder = await openFolder()
  const recipes = join(folder, 'infra/recipes')
  const { dev, output, ended } = startDev(folder)
  await until('it runs', () => output().includes('Ctrl-C ends it'))

  const second = startDev(folder)
  expect(await second.ended).toEqual([1, null])
  expect(second.output()).toContain('it already runs in this folder')

  await copyFile(join(recipes, 'woodcut.json'), join(recipes, 'my-own.json'))
  await until('there is a folder for its photos', () => output().includes('darkroom-in/my-own/ too'))
  await copyFile(photo('nagasaki-boats'), join(folder, 'darkroom-in/my-own/boats.jpg'))
  await until('the print is told', () => output().includes('\ndone darkroom-out/my-own/boats/'))
  const files = await readdir(join(folder, 'darkroom-out'), { recursive: true })
  expect(files.filter(file => /(?:image-1\.jpg|result\.json)$/.test(file))).toHaveLength(2)

  dev.kill('SIGINT')
  expect(await ended).toEqual([0, null])
  expect(output()).toMatch(/\nClosing\.\n$/)
})

test('Ctrl-C waits for the edits that are under way, and collects their prints', async () => {
  const folder = await openFolder()
  const { dev, output, ended } = startDev(folder)
  await until('it runs', () => output().includes('Ctrl-C ends it'))
  await startEdit(folder, 3000)
  dev.kill('SIGINT')
  dev.kill('SIGINT') // as npm hands it on
  expect(await ended).toEqual([0, null])
  expect(output()).toMatch(
    /\nClosing; 1 edit\(s\) are under way, Ctrl-C again ends at once\.\ndone darkroom-out\/woodcut\/boats\/.*\n\nClosing\.\n$/,
  )
})

test('a file that is far too large is told, not read; the next one is edited', async () => {
  const folder = await openFolder()
  const drops = join(folder, 'darkroom-in/woodcut')
  await mkdir(drops, { recursive: true })
  await writeFile(join(drops, 'huge.jpg'), '')
  await truncate(join(drops, 'huge.jpg'), 3e9)
  const { output } = startDev(folder)
  await until('it is told', () => output().includes('darkroom-in/woodcut/huge.jpg: 3000 MB are too many: a photo may'))
  await copyFile(photo('nagasaki-boats'), join(drops, 'boats.jpg'))
  await until('the print is told', () => output().includes('\ndone darkroom-out/woodcut/boats/'))
})

// That it is tried again, half a minute later, is in results.test.ts, where a minute is a second.
test('a print that cannot be saved is told, and dev goes on', async () => {
  const folder = await openFolder()
  await writeFile(join(folder, 'darkroom-out'), 'in the way')
  const { dev, output, ended } = startDev(folder)
  await until('it runs', () => output().includes('Ctrl-C ends it'))
  await copyFile(photo('nagasaki-boats'), join(folder, 'darkroom-in/woodcut/boats.jpg'))
  await until('it is told', () => /print of woodcut\/boats\/.* could not be saved: ENOTDIR.*tried again/.test(output()))
  dev.kill('SIGINT')
  expect(await ended).toEqual([0, null])
})

test('a torn list of what was taken ends it with a sentence', async () => {
  const folder = await openFolder()
  await mkdir(join(folder, '.darkroom'))
  await writeFile(join(folder, '.darkroom/taken.json'), '{"a.jpg": "1-')
  const { output, ended } = startDev(folder)
  expect(await ended).toEqual([1, null])
  expect(output()).toMatch(/taken\.json, the list .* paid for, again\n$/)
})

test('a second Ctrl-C ends at once, and the next run says what is under way', async () => {
  const folder = await openFolder()
  const first = startDev(folder)
  await until('it runs', () => first.output().includes('Ctrl-C ends it'))
  await startEdit(folder, 100_000)
  first.dev.kill('SIGINT')
  await until('it says so', () => first.output().includes('Ctrl-C again'))
  await until('it ends', () => {
    first.dev.kill('SIGINT')
    return first.dev.exitCode !== null || first.output().includes('\n\nClosing.')
  })
  await first.ended

  const second = startDev(folder)
  await until('it runs', () => second.output().includes('1 message(s) of the last run are under way'))
})

test('the shell that it describes has the commands find everything, and no key', async () => {
  const folder = await openFolder()
  const { output } = startDev(folder)
  await until('it runs', () => output().includes('source .darkroom/env'))
  const darkroom = `"${process.execPath}" infra/cli/darkroom.ts`
  expect(await inShell(folder, `${darkroom} dead list && ${darkroom} batch list`)).toBe(
    'There are no dead letters.\nThere are no batches.\n',
  )
  expect(await readFile(join(folder, '.darkroom/env'), 'utf8')).not.toContain('GEMINI_API_KEY')
})
