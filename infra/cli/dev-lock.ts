import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Refusal } from '../deploy/refusal.ts'

/** SQLite's word for a file that somebody else has locked. */
const SQLITE_BUSY = 5

/**
 * Keeps a state folder for one process, until that ends, however it ends: the system itself takes the lock of a file back. A
 * process id in a file would outlive its process, and by then be somebody else's.
 */
export function lockFolder(folder: string): Disposable {
  mkdirSync(folder, { recursive: true })
  const database = new DatabaseSync(join(folder, 'lock'))
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw cause
    throw new Refusal('darkroom: it already runs in this folder', { cause })
  }
  return { [Symbol.dispose]: () => database.close() }
}
