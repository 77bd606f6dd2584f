import { existsSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A file that is still being copied grows; one that kept its size for this long is whole. */
const SETTLED_MS = 1000

/**
 * Calls `onFile` with each file that appears in a folder or below it, once it has stopped growing, and again when it changes.
 * `key` is its name with forward slashes. What was taken is remembered in `memory`, so that a restart edits, and pays for,
 * nothing twice. Hidden files don't count.
 */
export async function watchDrops(
  { folder, memory }: { folder: string; memory: string },
  onFile: (key: string, path: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const taken = readTaken(memory)
  const settling = new Set<string>()
  const take = async (path: string) => {
    const key = relative(folder, path).split(sep).join('/')
    if (settling.has(path) || key.split('/').some(part => part.startsWith('.'))) return
    settling.add(path)
    try {
      const mark = await settle(path, signal)
      if (mark === undefined || taken[key] === mark) return
      await onFile(key, path)
      taken[key] = mark
      writeFileSync(memory, JSON.stringify(taken))
    } finally {
      settling.delete(path)
    }
  }
  const watcher = watch(folder, { recursive: true, signal })
  watcher.on('change', (_, name) => void take(join(folder, String(name))))
  watcher.on('error', () => undefined) // it ends with the signal
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries) if (entry.isFile()) void take(join(entry.parentPath, entry.name))
}

/** By key, the size and time of change of what was taken. */
function readTaken(memory: string): Record<string, string> {
  return existsSync(memory) ? (JSON.parse(readFileSync(memory, 'utf8')) as Record<string, string>) : {}
}

/** What tells a file's contents apart, once it has stopped growing; `undefined` where there is no file. */
async function settle(path: string, signal: AbortSignal): Promise<string | undefined> {
  for (let size = -1; !signal.aborted && existsSync(path); ) {
    const now = await stat(path).catch(() => undefined)
    if (!now?.isFile()) return undefined
    if (now.size === size) return `${now.size}-${now.mtimeMs}`
    size = now.size
    await sleep(SETTLED_MS)
  }
  return undefined
}
