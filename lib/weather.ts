import { z } from 'zod'
import { EditError } from './errors.ts'
import { hasControlCharacters, Job } from './job.ts'
import type { ReadJson, Task } from './tick.ts'

/** A place is a folder of the results bucket, too. */
const place = z
  .string()
  .min(1)
  .max(100)
  .refine(value => value.trim() === value, 'may not begin or end with a space')
  .refine(value => !/^\.{1,2}$|\//.test(value) && !hasControlCharacters(value), 'may not be ".", ".." or contain "/"')

const phrase = z.string().min(1).max(500)
const uri = z.string().regex(/^s3:\/\/[^/]+\/.+$/su, 'is no s3://bucket/key')

/** What an order for weather graphics says beside its schedule. */
export const WeatherOrder = z.strictObject({
  places: z
    .array(place)
    .min(1)
    .max(500)
    .refine(places => new Set(places).size === places.length, 'names a place twice'),
  days: z.int().min(1).max(14).optional(),
  units: z.enum(['metric', 'imperial']).optional(),
  language: phrase.optional(),
  style: phrase.optional(),
  imageConfig: Job.shape.imageConfig,
  model: Job.shape.model,
  /** Forecasts by place: here, each as text, JSON or the `s3://` of a JSON; or all in one JSON at an `s3://`. */
  facts: z.union([uri, z.record(z.string(), z.json())]).optional(),
})
export type WeatherOrder = z.infer<typeof WeatherOrder>

/** A graphic a place. `date` is the planned day where the order's clock hangs, YYYY-MM-DD. */
export function toWeatherTasks(order: WeatherOrder, date: string): Task[] {
  const { places, days, units, language, style, imageConfig, model, facts } = order
  return places.map(place => ({
    item: place,
    toJob: async readJson => ({
      operation: 'weather',
      slots: dropUndefined({
        place,
        date,
        days: days?.toString(),
        units,
        language,
        style,
        facts: facts === undefined ? undefined : await findFacts(facts, place, readJson),
      }),
      imageConfig,
      model,
      prefix: `weather/${place}/${date}`,
      publishAs: `weather/${place}`,
    }),
  }))
}

/** An order with facts of its own wants no others: a place that they leave out is a fault, not a search. */
async function findFacts(
  facts: NonNullable<WeatherOrder['facts']>,
  place: string,
  readJson: ReadJson,
): Promise<string> {
  const all = typeof facts === 'string' ? await readJson(facts) : facts
  const own = isRecord(all) && Object.hasOwn(all, place) ? all[place] : undefined
  if (own === undefined || own === null || own === '') {
    const where = typeof facts === 'string' ? facts : 'the order'
    throw new EditError('ERR_ORDER_FACTS', `${where} brings no forecast for ${place}`)
  }
  const found = uri.safeParse(own).success ? await readJson(String(own)) : own
  return typeof found === 'string' ? found : JSON.stringify(found)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function dropUndefined(slots: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(slots).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}
