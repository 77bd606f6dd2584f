import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  return { dev, output: () => Buffer.concat(chunks).toString(), ended: once(dev, 'close') }
}

test('a photo in a folder comes out as a print, by a recipe that was written meanwhile, until Ctrl-C', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-dev-'))
  const recipes = join(folder, 'infra/recipes')
  await cp(join(project, 'infra/recipes'), recipes, { recursive: true })
  const { dev, output, ended } = startDev(folder)
  onTestFinished(async () => {
    dev.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true })
  })
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
