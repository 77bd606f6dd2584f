import {
  existsSync,
  type FSWatcher,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { toPlain } from '../../lib/log.ts'
import { Refusal } from '../deploy/refusal.ts'

/** A file that is still being copied grows; one that kept its size for this long is whole. */
const SETTLED_MS = 1000
/** How often it is looked whether the folder is still the one that is watched. */
const LOOK_MS = 2000

export type DropPlace = {
  folder: string
  /** Where it is remembered what was taken; without it, a restart takes everything again. */
  memory?: string
}

/** By key, the size and time of change of what was taken. */
const Taken = z.record(z.string(), z.string())
type Taken = z.infer<typeof Taken>

/**
 * Calls `onFile` with each file that appears in a folder or below it, once it has stopped growing, and again when it changes.
 * `key` is its name with forward slashes. What was taken is remembered in `memory`, so that a restart edits, and pays for,
 * nothing twice. Hidden files don't count. A file that can't be taken is a sentence to `tell`, and the others go on; so do those
 * of a folder that is removed and made anew.
 */
export async function watchDrops(
  place: DropPlace,
  onFile: (key: string, path: string) => Promise<void>,
  signal: AbortSignal,
  tell: (sentence: string) => void = console.error,
): Promise<void> {
  const { folder } = place
  const taken = readTaken(place)
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
      writeTaken(place, taken)
    } catch (error) {
      tell(`${toPlain(path)}: ${error instanceof Error ? error.message : error}`)
    } finally {
      settling.delete(path)
    }
  }
  await keepWatching(folder, path => void take(path), signal, tell)
}

async function keepWatching(
  folder: string,
  onPath: (path: string) => void,
  signal: AbortSignal,
  tell: (sentence: string) => void,
): Promise<void> {
  let watched: string | undefined
  let watcher: FSWatcher | undefined
  const look = async () => {
    if (signal.aborted || readIdentity(folder) === watched) return
    mkdirSync(folder, { recursive: true })
    watched = readIdentity(folder)
    watcher?.close()
    watcher = watch(folder, { recursive: true, persistent: false, signal })
    watcher.on('change', (_, name) => onPath(join(folder, String(name))))
    watcher.on('error', () => undefined) // it ends with the signal, and a folder that is gone is looked for
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    for (const entry of entries) if (entry.isFile()) onPath(join(entry.parentPath, entry.name))
  }
  await look()
  // Neither this nor the watcher holds a process that ends for another reason.
  const timer = setInterval(() => {
    look().catch((error: Error) => tell(`${folder}: ${error.message}`))
  }, LOOK_MS).unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

/** What tells a folder from another of its name: a file system may give the number of the one to the next. */
function readIdentity(folder: string): string | undefined {
  const now = statSync(folder, { throwIfNoEntry: false })
  return now && `${now.ino}-${now.birthtimeMs}`
}

function readTaken({ folder, memory }: DropPlace): Taken {
  if (!memory || !existsSync(memory)) return {}
  try {
    return Taken.parse(JSON.parse(readFileSync(memory, 'utf8')))
  } catch (cause) {
    const remedy = `if you delete it, every photo in ${folder}/ is edited, and paid for, again`
    throw new Refusal(`${memory}, the list of what was taken from ${folder}/, cannot be read: ${remedy}`, { cause })
  }
}

/** In one step: a list that is half written would have everything paid for again. */
function writeTaken({ memory }: DropPlace, taken: Taken): void {
  if (!memory) return
  mkdirSync(dirname(memory), { recursive: true })
  writeFileSync(`${memory}.new`, JSON.stringify(taken))
  renameSync(`${memory}.new`, memory)
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
