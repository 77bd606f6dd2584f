import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { PACKAGE_FOLDER } from '../infra/deploy/package.ts'
import { unzip } from './helpers/unzip.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the functions lie as they were unpacked from the artifacts, or why they don't. */
    bundles: { folder: string } | { missing: string }
  }
}

const BUILT = join(import.meta.dirname, '../dist/functions')

/** Unpacks the artifacts once for the whole run: what the flows test is what a deployment ships. */
export default async function unpackBundles({ provide }: TestProject): Promise<() => Promise<void>> {
  const unpacked = await mkdtemp(join(tmpdir(), 'darkroom-unpacked-'))
  const folder = join(unpacked, 'dist/functions')
  const zips = (await readdir(PACKAGE_FOLDER).catch(() => [])).filter(name => name.endsWith('.zip'))
  await Promise.all(zips.map(name => unzip(join(PACKAGE_FOLDER, name), unpacked)))
  const isShipped = zips.length > 0 && (await isSame(folder, BUILT))
  provide('bundles', isShipped ? { folder } : { missing: 'dist/package is not what was built: npm run package' })
  return () => rm(unpacked, { recursive: true })
}

async function isSame(folder: string, other: string): Promise<boolean> {
  const names = await readdir(other, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = names
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(other.length))
  const equal = await Promise.all(
    files.map(async file => {
      const both = await Promise.all([folder, other].map(it => readFile(join(it, file)).catch(() => Buffer.of())))
      return both[0]?.equals(both[1] as Buffer)
    }),
  )
  return equal.length > 0 && equal.every(Boolean)
}
