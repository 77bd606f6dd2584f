import { DEFAULT_SETTINGS, readSettings, type Settings } from '../config.ts'
import { EditError } from '../errors.ts'
import type { Recipe } from '../job.ts'
import { parseRecipe } from '../recipes.ts'
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
  let settings: Settings = DEFAULT_SETTINGS
  let readAt = Number.NEGATIVE_INFINITY

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

    /** `settings.json`, at most a minute old. A faulty file is reported and the last good one stays in force. */
    async settings(): Promise<Settings> {
      if (now() - readAt < SETTINGS_AGE_MS) return settings
      readAt = now()
      try {
        const bytes = await storage.read(`s3://${bucket}/${SETTINGS}.json`)
        settings = bytes ? readSettings(JSON.parse(bytes.toString())) : DEFAULT_SETTINGS
      } catch (fault) {
        onFault(fault)
      }
      return settings
    },
  }
}
