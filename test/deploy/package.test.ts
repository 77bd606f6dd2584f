import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PACKAGE_FOLDER, packageService } from '../../infra/deploy/package.ts'

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

test('what is packaged twice, even at once, is the same to the byte; its artifacts are named after the moment it is given', async () => {
  const at = Date.UTC(2026, 10, 21)
  const [again, dated] = await Promise.all([
    packageService({ folder: join(folder, 'again') }),
    packageService({ folder: join(folder, 'dated'), at }),
  ])
  const first = await digest(PACKAGE_FOLDER)
  expect(Object.keys(first)).toContain('upload.zip')
  expect(await digest(again)).toEqual(first)
  expect(await readFile(join(dated, 'cloudformation-template-update-stack.json'), 'utf8')).toContain(
    `${at}-2026-11-21T00:00:00.000Z/upload.zip`,
  )
}, 60_000)
