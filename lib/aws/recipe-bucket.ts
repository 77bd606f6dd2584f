import { z } from 'zod'
import { DEFAULT_SETTINGS, readSettings, type Settings } from '../config.ts'
import { EditError } from '../errors.ts'
import { describeFaults } from '../job.ts'
import { parseRecipe, type Recipe } from '../recipes.ts'
import type { Storage } from './storage.ts'

/** Settings are looked at this often, so a change of policy needs no deployment and costs no read a job. */
const SETTINGS_AGE_MS = 60_000

/** The one JSON file of the bucket that is no recipe. */
const SETTINGS = 'settings'

export type RecipeBucket = ReturnType<typeof createRecipeBucket>

export function createRecipeBucket(
  storage: Storage,
  bucket: string,
  now: () => number,
  onFault: (fault: unknown) => void,
) {
  let good: Settings | undefined
  let reading: Promise<Settings> | undefined
  let readAt = Number.NEGATIVE_INFINITY

  async function readFile(): Promise<Settings> {
    try {
      const bytes = await storage.read(`s3://${bucket}/${SETTINGS}.json`)
      good = bytes ? readSettings(JSON.parse(bytes.toString())) : DEFAULT_SETTINGS
    } catch (fault) {
      if (!(fault instanceof EditError) || good) onFault(fault)
      // Before anything is known of the settings no job may run as if there were none: they may set a budget.
      if (!good) throw fault instanceof EditError ? fault : toInvalid(fault)
    }
    return good
  }

  return {
    /** The recipe `<name>.json`; where there is none, the error lists those that exist. */
    async recipe(name: string): Promise<Recipe> {
      const bytes = name === SETTINGS ? undefined : await storage.read(`s3://${bucket}/${name}.json`)
      if (bytes) return parseRecipe(bytes.toString(), name)
      const names = (await storage.list(bucket))
        .flatMap(key => /^([^/]+)\.json$/.exec(key)?.[1] ?? [])
        .filter(other => other !== SETTINGS)
      throw new EditError(
        'ERR_UPLOAD_NO_RECIPE',
        `there is no recipe ${name}; there are: ${names.join(', ') || 'none'}`,
      )
    },

    /**
     * `settings.json`, at most a minute old. A faulty file is reported and the last good one stays in force; a function that knows
     * no good one throws.
     */
    settings(): Promise<Settings> {
      if (reading && now() - readAt < SETTINGS_AGE_MS) return reading
      readAt = now()
      const current = readFile()
      reading = current
      // A failure is thrown to all that wait for it, and not remembered.
      current.catch(() => {
        if (reading === current) reading = undefined
      })
      return current
    },
  }
}

function toInvalid(fault: unknown): EditError {
  const reason = fault instanceof z.ZodError ? describeFaults(fault) : String(fault)
  return new EditError('ERR_SETTINGS_INVALID', `settings.json is faulty: ${reason}`, { cause: fault })
}
