import { EditError } from '../errors.ts'
import type { ReadJson } from '../tick.ts'
import { asInput, checkBucket } from './inputs.ts'
import type { Storage } from './storage.ts'

/** Reads facts that an order names, from these buckets and no others. */
export function createJsonReader(storage: Storage, allowedBuckets: readonly string[]): ReadJson {
  return async uri => {
    checkBucket(uri, allowedBuckets)
    const bytes = await asInput(uri, storage.read(uri))
    if (!bytes) throw new EditError('ERR_ORDER_FACTS', `${uri} does not exist`)
    try {
      return JSON.parse(bytes.toString())
    } catch {
      throw new EditError('ERR_ORDER_FACTS', `${uri} is no JSON`)
    }
  }
}
