import { createHash } from 'node:crypto'
import { type Code, EditError } from '../errors.ts'
import { type ImageType, type Inspection, inspectEnds, inspectImage } from '../image.ts'
import type { JobInput } from '../job.ts'
import type { InputFacts } from '../result.ts'
import { statusOf } from './faults.ts'
import { splitUri } from './keys.ts'
import type { ObjectFacts, Pin, Storage } from './storage.ts'

/** Gemini's Files API would take more; a photo that large is a mistake more often than a wish. */
const INPUT_LIMIT_BYTES = 50_000_000
/** The largest sensors of 2026 have 200 megapixels; a header that says more is a decompression bomb or nonsense. */
const INPUT_LIMIT_PIXELS = 200_000_000

/** An input with its bytes, or with the address under which they were sent ahead. */
export type Input = { facts: InputFacts; role?: JobInput['role'] } & ({ bytes: Buffer } | { fileUri: string })

/** An input that is too large to be held: `stream` gives its bytes, from the first one each time. */
export type LargeInput = {
  uri: string
  etag: string
  mimeType: ImageType
  sizeBytes: number
  stream: () => AsyncIterable<Uint8Array>
}

export type InputRules = {
  allowedBuckets: readonly string[]
  /** The version that a job began with, or that an upload's notice names, by URI. */
  pins: ReadonlyMap<string, Pin>
  /** Which inputs, by their sizes, go within the request. */
  chooseInline: (sizesBytes: number[]) => boolean[]
  /** Sends any other input ahead. */
  send: (input: LargeInput) => Promise<{ fileUri: string; sha256: string }>
}

/** The inputs of a job, in order: each one's size is asked for before a byte is fetched, and what was asked for is what is fetched. */
export async function readInputs(storage: Storage, inputs: readonly JobInput[], rules: InputRules): Promise<Input[]> {
  for (const { uri } of inputs) checkBucket(uri, rules.allowedBuckets)
  const heads = await Promise.all(inputs.map(({ uri }) => headInput(storage, uri, rules.pins.get(uri))))
  const inline = rules.chooseInline(heads.map(head => head.sizeBytes))
  const read: Input[] = []
  await Promise.all(
    inputs.map(async (input, at) => {
      if (inline[at]) read[at] = await readInput(storage, input, heads[at] as ObjectFacts)
    }),
  )
  // One after the other: each holds a piece of eight megabytes, and together they would hold no fewer bytes than inline.
  for (const [at, input] of inputs.entries()) {
    if (!inline[at]) read[at] = await sendInput(storage, input, heads[at] as ObjectFacts, rules.send)
  }
  return read
}

/** Refuses a bucket that inputs may not come from with `ERR_INPUT_BUCKET`. */
export function checkBucket(uri: string, allowed: readonly string[]): void {
  const { Bucket } = splitUri(uri)
  if (allowed.includes(Bucket)) return
  throw new EditError(
    'ERR_INPUT_BUCKET',
    `${uri}: inputs may come from ${allowed.join(', ')}; add ${Bucket} to INPUT_BUCKETS`,
  )
}

async function headInput(storage: Storage, uri: string, pin: Pin | undefined): Promise<ObjectFacts> {
  const head = await asInput(uri, storage.head(uri, pin?.versionId))
  if (!head) throw new EditError('ERR_INPUT_NOT_FOUND', `${uri} does not exist`)
  if (pin && pin.etag !== '' && head.etag !== pin.etag)
    throw new EditError('ERR_INPUT_CHANGED', `${uri} was overwritten while its job was under way`)
  if (head.sizeBytes === 0) throw new EditError('ERR_INPUT_EMPTY', `${uri} has no bytes`)
  if (head.sizeBytes <= INPUT_LIMIT_BYTES) return head
  const size = Math.ceil(head.sizeBytes / 1e6)
  throw new EditError(
    'ERR_INPUT_TOO_LARGE',
    `${uri} has ${size} MB: inputs are taken up to ${INPUT_LIMIT_BYTES / 1e6} MB`,
  )
}

async function readInput(storage: Storage, { uri, role }: JobInput, { etag, versionId }: ObjectFacts): Promise<Input> {
  const bytes = await readOrThrow(storage, uri, { etag, versionId })
  const image = accept(uri, inspectImage(bytes))
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { facts: { uri, etag, versionId, sha256, ...image }, bytes, role }
}

async function sendInput(
  storage: Storage,
  { uri, role }: JobInput,
  { etag, versionId, sizeBytes }: ObjectFacts,
  send: InputRules['send'],
): Promise<Input> {
  const pin = { etag, versionId }
  const image = accept(uri, await inspectLarge(storage, uri, pin, sizeBytes))
  const { mimeType } = image
  const { fileUri, sha256 } = await send({ uri, etag, mimeType, sizeBytes, stream: () => storage.stream(uri, pin) })
  return { facts: { uri, etag, versionId, sha256, ...image }, fileUri, role }
}

/** Before the scan of a JPEG there may be profiles, previews and layers of some megabytes. */
const HEAD_BYTES = 4 * 2 ** 20
/** Trailers of cameras are shorter; what has a longer one is read whole. */
const TAIL_BYTES = 2 ** 20

/** Looks at both ends, and at the whole only if these don't show a whole image: a format may keep its header anywhere. */
async function inspectLarge(storage: Storage, uri: string, pin: Pin, sizeBytes: number): Promise<Inspection> {
  if (sizeBytes > HEAD_BYTES + TAIL_BYTES) {
    const head = await readOrThrow(storage, uri, pin, [0, HEAD_BYTES - 1])
    const tail = await readOrThrow(storage, uri, pin, [sizeBytes - TAIL_BYTES, sizeBytes - 1])
    const image = inspectEnds(head, { sizeBytes, tail })
    if (!image.fault) return image
  }
  return inspectImage(await readOrThrow(storage, uri, pin))
}

async function readOrThrow(...[storage, uri, ...rest]: [Storage, ...Parameters<Storage['read']>]): Promise<Buffer> {
  const bytes = await asInput(uri, storage.read(uri, ...rest))
  if (bytes) return bytes
  throw new EditError('ERR_INPUT_NOT_FOUND', `${uri} does not exist any more`)
}

type Pixels = { mimeType: ImageType; width: number; height: number }

function accept(uri: string, image: Inspection): Pixels {
  if (image.fault) throw new EditError(FAULT_CODES[image.fault], `${uri} ${FAULT_WORDS[image.fault]}: ${image.detail}`)
  const { mimeType, width, height } = image
  if (width * height <= INPUT_LIMIT_PIXELS) return { mimeType, width, height }
  const most = INPUT_LIMIT_PIXELS / 1e6
  throw new EditError(
    'ERR_INPUT_TOO_LARGE',
    `${uri} has ${width}×${height} pixels: inputs are taken up to ${most} megapixels`,
  )
}

/** Darkroom's own credentials are nothing that a sender could change. */
const CREDENTIALS = /Credential|Token|Signature|AccessKeyId|TimeTooSkewed/

/**
 * What S3 refuses of an input is the sender's to change: a permission, another region, a disabled key, an archived object.
 * Of Darkroom's own buckets it would be the operator's to repair.
 */
export async function asInput<T>(uri: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    const cause = error instanceof EditError && error.code === 'ERR_AWS_FORBIDDEN' ? error.cause : error
    const status = statusOf(cause)
    if (status === undefined || status >= 500 || cause instanceof EditError) throw error
    const { name } = cause as Error
    if (CREDENTIALS.test(name)) throw error
    const hint = status === 403 ? '; a missing object looks the same without s3:ListBucket' : ''
    throw new EditError('ERR_INPUT_FORBIDDEN', `S3 does not let Darkroom read ${uri} (${status} ${name})${hint}`, {
      cause: error,
    })
  }
}

type Fault = NonNullable<Inspection['fault']>

const FAULT_CODES = {
  empty: 'ERR_INPUT_EMPTY',
  'not-an-image': 'ERR_INPUT_NOT_AN_IMAGE',
  damaged: 'ERR_INPUT_DAMAGED',
} as const satisfies Record<Fault, Code>

const FAULT_WORDS = {
  empty: 'is empty',
  'not-an-image': 'is not a PNG, JPEG, WebP, HEIC or HEIF',
  damaged: 'is damaged',
} as const satisfies Record<Fault, string>
