import { createHash } from 'node:crypto'
import { z } from 'zod'

/** One upload as S3 announces it, its key decoded. */
export type UploadNotice = {
  bucket: string
  key: string
  versionId?: string
  etag?: string
  sequencer?: string
}

const Notice = z.object({
  eventName: z.string(),
  s3: z.object({
    bucket: z.object({ name: z.string() }),
    object: z.object({
      key: z.string(),
      eTag: z.string().optional(),
      versionId: z.string().optional(),
      sequencer: z.string().optional(),
    }),
  }),
})

const Notification = z.object({ Records: z.array(z.unknown()) })
const TestEvent = z.object({ Event: z.literal('s3:TestEvent') })

/** One record of a notification, still as S3 wrote it, so that it can be sent again alone. */
type UploadEvent = { notice: UploadNotice; body: string }

/**
 * The uploads in an S3 event notification, or `undefined` if `body` is none. S3's test event, deletions and the empty keys
 * that stand for folders are notifications of nothing.
 */
export function readUploads(body: unknown): UploadEvent[] | undefined {
  if (TestEvent.safeParse(body).success) return []
  const notification = Notification.safeParse(body)
  if (!notification.success) return undefined
  const uploads: UploadEvent[] = []
  for (const record of notification.data.Records) {
    const parsed = Notice.safeParse(record)
    if (!parsed.success) return undefined
    const { eventName, s3 } = parsed.data
    const { key, eTag, versionId, sequencer } = s3.object
    if (!eventName.replace(/^s3:/, '').startsWith('ObjectCreated:') || key.endsWith('/') || key.endsWith('%2F'))
      continue
    const notice = { bucket: s3.bucket.name, key: decodeKey(key), versionId, etag: eTag, sequencer }
    uploads.push({ notice, body: JSON.stringify({ Records: [record] }) })
  }
  return uploads
}

/** S3 writes keys in its notices as forms do: `+` for a space, percent signs for the rest. */
function decodeKey(key: string): string {
  const spaced = key.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    return spaced
  }
}

/**
 * The id of the job that an upload starts: the same for each notice of one upload, another when the photo is uploaded again.
 * Buckets without versions say `null` or nothing for the version; there the ETag and the event's sequencer tell uploads apart.
 */
export function toUploadId({ bucket, key, versionId, etag, sequencer }: UploadNotice): string {
  const version = versionId && versionId !== 'null' ? [versionId] : [etag, sequencer]
  return `up-${digest(['upload', bucket, key, ...version])}`
}

function digest(facts: (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32)
}
