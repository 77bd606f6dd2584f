import { randomUUID } from 'node:crypto'
import { accountId, region } from '../template.ts'
import type { CreateMessage, Fauxqs } from './fauxqs.ts'
import { readTarget } from './s3-gaps.ts'

type Stores = Pick<Fauxqs, 's3Store' | 'sqsStore'>

/** Tells the queues configured for a bucket about each object created there, as S3 does. A POST form tells nobody. */
export function sendS3Events(
  app: Fauxqs['app'],
  { s3Store, sqsStore }: Stores,
  notifications: Map<string, string[]>,
  createMessage: CreateMessage,
): void {
  app.addHook('onSend', (request, reply, _payload, done) => {
    const { bucket = '', key = '' } = readTarget(request.raw.url ?? '/') ?? {}
    const queueArns = notifications.get(bucket) ?? []
    const eventName = reply.statusCode === 200 && key && toEventName(request)
    if (eventName && queueArns.length > 0) {
      const { contentLength, etag } = s3Store.headObject(bucket, key)
      const event = buildS3Event({ eventName, bucket, key, sizeBytes: contentLength, etag })
      for (const arn of queueArns) sqsStore.getQueueByArn(arn)?.enqueue(createMessage(JSON.stringify(event)))
    }
    done()
  })
}

type CreatedBy = { method: string; query: unknown; headers: Record<string, unknown> }

function toEventName({ method, query, headers }: CreatedBy): string | undefined {
  const { uploadId, uploads } = query as Record<string, string>
  if (method === 'POST' && uploadId && uploads === undefined) return 'ObjectCreated:CompleteMultipartUpload'
  if (method !== 'PUT' || uploadId) return undefined
  return 'x-amz-copy-source' in headers ? 'ObjectCreated:Copy' : 'ObjectCreated:Put'
}

type CreatedObject = { eventName: string; bucket: string; key: string; sizeBytes: number; etag: string }

/** The notice as S3 writes it. */
export function buildS3Event({ eventName, bucket, key, sizeBytes, etag }: CreatedObject) {
  return {
    Records: [
      {
        eventVersion: '2.1',
        eventSource: 'aws:s3',
        awsRegion: region,
        eventTime: new Date().toISOString(),
        eventName,
        userIdentity: { principalId: `AWS:${accountId}` },
        requestParameters: { sourceIPAddress: '127.0.0.1' },
        responseElements: { 'x-amz-request-id': randomUUID().slice(0, 16).toUpperCase(), 'x-amz-id-2': 'local' },
        s3: {
          s3SchemaVersion: '1.0',
          configurationId: 'uploads',
          bucket: { name: bucket, ownerIdentity: { principalId: accountId }, arn: `arn:aws:s3:::${bucket}` },
          object: {
            key: toEventKey(key),
            size: sizeBytes,
            eTag: etag.replaceAll('"', ''),
            sequencer: nextSequencer(),
          },
        },
      },
    ],
  }
}

/** S3 writes keys in its notices as a form would, but leaves the slashes. */
export function toEventKey(key: string): string {
  return encodeURIComponent(key)
    .replace(/[!'()~]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
    .replaceAll('%2F', '/')
}

let lastSequence = 0n

// Grows also over a restart, since the clock does, and among the objects of one millisecond.
function nextSequencer(): string {
  const now = BigInt(Date.now()) << 16n
  lastSequence = now > lastSequence ? now : lastSequence + 1n
  return lastSequence.toString(16).toUpperCase().padStart(18, '0')
}
