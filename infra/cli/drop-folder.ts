import { existsSync, mkdirSync, watch } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A file that is still being copied grows; one that kept its size for this long is whole. */
const SETTLED_MS = 300

/**
 * Calls `onFile` with each file that appears in a folder or below it, once it has stopped growing, and again when it changes.
 * `key` is its name with forward slashes. Files that lie there at the start count as new. Hidden files don't.
 */
export async function watchDrops(
  folder: string,
  onFile: (key: string, path: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const settling = new Set<string>()
  const take = async (path: string) => {
    const key = relative(folder, path).split(sep).join('/')
    if (settling.has(path) || key.split('/').some(part => part.startsWith('.'))) return
    settling.add(path)
    try {
      if (await settles(path, signal)) await onFile(key, path)
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

/** Whether there is a file that has stopped growing. */
async function settles(path: string, signal: AbortSignal): Promise<boolean> {
  for (let size = -1; !signal.aborted && existsSync(path); ) {
    const now = await stat(path).catch(() => undefined)
    if (!now?.isFile()) return false
    if (now.size === size) return true
    size = now.size
    await sleep(SETTLED_MS)
  }
  return false
}
