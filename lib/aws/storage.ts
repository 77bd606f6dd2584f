import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { EditError } from '../errors.ts'
import { callAws, statusOf, toAwsFault } from './faults.ts'
import { splitUri } from './keys.ts'

/** What S3 knows of an object before a byte is fetched. */
export type ObjectFacts = { sizeBytes: number; etag: string; versionId?: string; metadata: Record<string, string> }

/** Which version of an object to read: these bytes or none. */
export type Pin = { etag: string; versionId?: string }

/** How long the results bucket's life cycle keeps an object, as a tag; without one it stays. */
export type Keep = '30-days' | '365-days'

export type Storage = ReturnType<typeof createStorage>

/** S3 as Darkroom needs it. An object that isn't there is `undefined`, never an error. */
export function createStorage(s3: S3Client) {
  const writable = new Map<string, Promise<void>>()

  async function write(
    bucket: string,
    key: string,
    body: Buffer | string,
    { contentType, metadata, keep }: { contentType: string; metadata?: Record<string, string>; keep?: Keep },
  ): Promise<void> {
    const command = new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: body,
      // Of an empty body the SDK thinks that it is a stream, and says so in the log.
      ContentLength: Buffer.byteLength(body),
      ContentType: contentType,
      Metadata: metadata,
      Tagging: keep && `darkroom-keep=${keep}`,
    })
    await callAws(`s3:PutObject on s3://${bucket}/${key}`, () => s3.send(command)).catch((error: unknown) => {
      writable.delete(bucket)
      throw error
    })
  }

  async function get(uri: string, pin: Pin | undefined, Range?: string) {
    const { Bucket, Key } = splitUri(uri)
    const IfMatch = pin && !pin.versionId ? `"${pin.etag}"` : undefined
    const command = new GetObjectCommand({ Bucket, Key, VersionId: pin?.versionId, IfMatch, Range })
    const call = () => s3.send(command)
    const object = await unlessMissing(`s3:GetObject on ${uri}`, call).catch((error: unknown) => {
      if (statusOf(error) !== 412) throw error
      throw new EditError('ERR_INPUT_CHANGED', `${uri} was overwritten while its job was under way`, { cause: error })
    })
    return object?.Body
  }

  return {
    /** Size, ETag, version and metadata, or `undefined` if there is no such object. */
    async head(uri: string, versionId?: string): Promise<ObjectFacts | undefined> {
      const { Bucket, Key } = splitUri(uri)
      const command = new HeadObjectCommand({ Bucket, Key, VersionId: versionId })
      const head = await unlessMissing(`s3:HeadObject on ${uri}`, () => s3.send(command))
      if (!head) return undefined
      return {
        sizeBytes: head.ContentLength ?? 0,
        etag: (head.ETag ?? '').replaceAll('"', ''),
        versionId: head.VersionId === 'null' ? undefined : head.VersionId,
        metadata: head.Metadata ?? {},
      }
    },

    /** The object's bytes, or those of `range` (first and last offset, both taken), as they were pinned; `ERR_INPUT_CHANGED` when those are gone. */
    async read(uri: string, pin?: Pin, range?: readonly [first: number, last: number]): Promise<Buffer | undefined> {
      const body = await get(uri, pin, range && `bytes=${range.join('-')}`)
      if (!body) return undefined
      const bytes = await callAws(`s3:GetObject on ${uri}`, () => body.transformToByteArray())
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    },

    /** The same bytes as they come, none of them held. */
    async *stream(uri: string, pin?: Pin): AsyncGenerator<Uint8Array, void> {
      const body = await get(uri, pin)
      if (!body) throw new EditError('ERR_INPUT_NOT_FOUND', `${uri} does not exist any more`)
      try {
        yield* body as AsyncIterable<Uint8Array>
      } catch (error) {
        throw toAwsFault(error, `s3:GetObject on ${uri}`)
      }
    },

    /** The first thousand keys of a bucket that begin so. */
    async list(bucket: string, prefix = ''): Promise<string[]> {
      const listing = await callAws(`s3:ListBucket on ${bucket}`, () =>
        s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix })),
      )
      return (listing.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key]))
    },

    /** All keys that begin so, in order, with their sizes: a page of a thousand in memory at a time. */
    async *scan(bucket: string, prefix: string): AsyncGenerator<{ key: string; sizeBytes: number }> {
      for (let after: string | undefined; ; ) {
        const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, StartAfter: after })
        const page = await callAws(`s3:ListBucket on ${bucket}`, () => s3.send(command))
        for (const { Key = '', Size = 0 } of page.Contents ?? []) yield { key: Key, sizeBytes: Size }
        after = page.Contents?.at(-1)?.Key
        if (!page.IsTruncated || after === undefined) return
      }
    },

    /** Removes objects, those that are not there too. */
    async remove(bucket: string, keys: readonly string[]): Promise<void> {
      for (let at = 0; at < keys.length; at += 1000) {
        const Objects = keys.slice(at, at + 1000).map(Key => ({ Key }))
        const command = new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } })
        const { Errors = [] } = await callAws(`s3:DeleteObject on ${bucket}`, () => s3.send(command))
        const [first] = Errors
        if (first)
          throw new EditError('ERR_AWS_UNAVAILABLE', `S3 kept ${Errors.length} objects, ${first.Key}: ${first.Code}`)
      }
    },

    /** Writes an object. Metadata values are ASCII already; see `toMetadata` in `keys.ts`. */
    write,

    /** Throws now what a later write would throw. Tried once a process, after a write has failed, and `afresh`. */
    ensureWritable(bucket: string, { afresh = false } = {}): Promise<void> {
      const known = writable.get(bucket)
      if (known && !afresh) return known
      // Marked like all that Darkroom writes: copied into the uploads bucket, it starts nothing.
      const metadata = { 'darkroom-job': 'none' }
      const tried = write(bucket, '.darkroom/writable', '', { contentType: 'text/plain', metadata, keep: '30-days' })
      writable.set(bucket, tried)
      return tried
    },
  }
}

async function unlessMissing<T>(action: string, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    if (statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket') return undefined
    throw toAwsFault(error, action)
  }
}
