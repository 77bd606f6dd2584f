import { z } from 'zod'
import { EditError } from './errors.ts'
import { describeFaults, INPUTS_LIMIT, type Job, type JobInput, ROLES, wishes } from './job.ts'

/** What a recipe may leave to its uploaders. */
const OPEN_WISHES = ['prompt', 'model', 'session', 'lane'] as const

/**
 * A recipe as it is kept: a job without id, plus the reference images that every photo meets (keys beside the recipe, or
 * `s3://` of an allowed bucket) and the wishes that an uploader may set.
 */
export const Recipe = z.strictObject({
  ...wishes,
  description: z.string().optional(),
  references: z
    .array(
      z.preprocess(
        value => (typeof value === 'string' ? { uri: value } : value),
        z.strictObject({ uri: z.string().min(1).max(1100), role: z.enum(ROLES).optional() }),
      ),
    )
    .max(INPUTS_LIMIT)
    .default([]),
  /** The role of the uploaded photo, which is always the first input. */
  role: z.enum(ROLES).optional(),
  allow: z.array(z.enum(OPEN_WISHES)).default([]),
})
export type Recipe = z.infer<typeof Recipe>

/** What S3 says of an uploaded object, with the metadata that its uploader gave it. */
type UploadedPhoto = { bucket: string; key: string; metadata: Readonly<Record<string, string>> }

/** Extensions that start an edit. The bytes decide later what the photo really is. */
const PHOTO = /\.(?:png|jpe?g|webp|hei[cf])$/i

export function isPhoto(key: string): boolean {
  return PHOTO.test(key)
}

/** The recipe's name in an uploaded key: its first folder. Throws for a key without one and for what is no photo by its name. */
export function recipeNameOf(key: string): string {
  const [folder, ...rest] = key.split('/')
  if (!folder || rest.length === 0) {
    throw new EditError('ERR_UPLOAD_NO_RECIPE', `${key} names no recipe: upload it to <recipe>/${key}`)
  }
  if (!isPhoto(key)) {
    throw new EditError(
      'ERR_UPLOAD_NOT_AN_IMAGE',
      `${key} is no .png, .jpg, .jpeg, .webp, .heic or .heif: convert the photo first`,
    )
  }
  return folder
}

/** The recipe in a JSON text; throws `ERR_RECIPE_INVALID` naming every fault. */
export function parseRecipe(text: string, name: string): Recipe {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new EditError('ERR_RECIPE_INVALID', `recipe ${name}.json is no JSON`, { cause })
  }
  const parsed = Recipe.safeParse(json)
  if (!parsed.success) throw new EditError('ERR_RECIPE_INVALID', `recipe ${name}.json: ${describeFaults(parsed.error)}`)
  return parsed.data
}

/** The job that a photo starts: the recipe on that photo, its references behind it, its open slots filled from metadata. */
export function applyRecipe(recipe: Recipe, name: string, photo: UploadedPhoto, recipesBucket: string): Job {
  const { references, role, allow, description: _, slots, ...fixed } = recipe
  const asked = readMetadata(photo.metadata)
  refuseForeign(recipe, name, asked)
  const inputs: JobInput[] = [
    { uri: `s3://${photo.bucket}/${photo.key}`, role },
    ...references.map(r => besideRecipe(r, name, recipesBucket)),
  ]
  // An uploader who may bring a prompt brings it instead of the recipe's slots.
  const filled = asked.wishes.prompt === undefined ? { ...asked.slots, ...slots } : asked.slots
  return {
    ...fixed,
    ...asked.wishes,
    lane: asked.wishes.lane ?? fixed.lane,
    slots: Object.keys(filled).length > 0 ? filled : undefined,
    inputs,
  }
}

function besideRecipe(reference: { uri: string; role?: JobInput['role'] }, name: string, bucket: string): JobInput {
  const { uri } = reference
  if (uri.startsWith('s3://')) return reference
  if (uri.startsWith('/') || uri.split('/').includes('..')) {
    throw new EditError(
      'ERR_RECIPE_INVALID',
      `recipe ${name}.json: reference ${uri} must be a key beside the recipe, without ".."`,
    )
  }
  return { ...reference, uri: `s3://${bucket}/${uri}` }
}

type Asked = { slots: Record<string, string>; wishes: Partial<Pick<Job, (typeof OPEN_WISHES)[number]>> }

const SLOT_PREFIX = 'slot-'

/** Only `slot-<name>` and the four wishes are Darkroom's; what else an uploader keeps there is none of its business. */
function readMetadata(metadata: Readonly<Record<string, string>>): Asked {
  const asked: Asked = { slots: {}, wishes: {} }
  for (const [rawName, value] of Object.entries(metadata)) {
    const name = rawName.toLowerCase()
    // HTTP headers carry no underscores reliably, so `slot-line-style` fills `line_style`.
    if (name.startsWith(SLOT_PREFIX))
      asked.slots[name.slice(SLOT_PREFIX.length).replaceAll('-', '_')] = decodeMetadata(value)
    const wish = OPEN_WISHES.find(candidate => candidate === name)
    if (wish === 'lane') asked.wishes.lane = readLane(decodeMetadata(value))
    else if (wish) asked.wishes[wish] = decodeMetadata(value)
  }
  return asked
}

function readLane(value: string): Job['lane'] {
  if (value === 'now' || value === 'batch') return value
  throw new EditError(
    'ERR_UPLOAD_METADATA',
    `metadata lane is ${JSON.stringify(value.slice(0, 60))}, expected now or batch`,
  )
}

function refuseForeign(recipe: Recipe, name: string, asked: Asked): void {
  const allowed: readonly string[] = recipe.allow
  const wishes = Object.keys(asked.wishes).filter(wish => !allowed.includes(wish))
  const slots = Object.keys(asked.slots).filter(slot => Object.hasOwn(recipe.slots ?? {}, slot))
  const faults = [
    ...wishes.map(wish => `metadata ${wish} is not in its "allow"`),
    ...slots.map(slot => `slot ${slot} is filled by the recipe itself`),
  ]
  if (faults.length > 0)
    throw new EditError('ERR_UPLOAD_METADATA', `recipe ${name} does not leave that open: ${faults.join('; ')}`)
}

/** S3 metadata is ASCII, so people percent-encode it, and S3 itself answers RFC 2047 words for what isn't. */
export function decodeMetadata(value: string): string {
  // Blanks between two encoded words only keep them apart (RFC 2047, 6.2).
  const joined = value.replace(/\?=\s+(?==\?)/g, '?=')
  const words = joined.replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, kind: string, encoded: string) =>
    (kind.toLowerCase() === 'b'
      ? Buffer.from(encoded, 'base64')
      : Buffer.from(
          encoded
            .replaceAll('_', ' ')
            .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
          'latin1',
        )
    ).toString(),
  )
  try {
    return decodeURIComponent(words)
  } catch {
    return words // "100 % wool" is no encoding
  }
}
