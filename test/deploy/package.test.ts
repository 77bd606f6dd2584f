import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packageService } from '../../infra/deploy/package.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-package-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function digest(of: string): Promise<Record<string, string>> {
  const names = (await readdir(of)).toSorted()
  const hash = async (name: string) =>
    createHash('sha256')
      .update(await readFile(join(of, name)))
      .digest('hex')
  return Object.fromEntries(await Promise.all(names.map(async name => [name, await hash(name)])))
}

test('what is packaged twice is the same to the byte', async () => {
  const first = await digest(await packageService({ folder: join(folder, 'one') }))
  const second = await digest(await packageService({ folder: join(folder, 'one') }))
  expect(Object.keys(first)).toContain('upload.zip')
  expect(second).toEqual(first)
}, 60_000)

test('a deployment of the same source has artifacts of its own name', async () => {
  const at = Date.UTC(2026, 10, 21)
  const template = join(
    await packageService({ folder: join(folder, 'dated'), at }),
    'cloudformation-template-update-stack.json',
  )
  expect(await readFile(template, 'utf8')).toContain(`${at}-2026-11-21T00:00:00.000Z/upload.zip`)
}, 60_000)
