import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { z } from 'zod'
import { EditError } from '../errors.ts'
import { callAws, statusOf } from './faults.ts'

/** What `<name>/latest.json` says: the newest result that may be shown under that name. Keys are of the results bucket. */
export type Edition = {
  id: string
  /** ISO 8601: the schedule's planned time, or when a job without a schedule was first seen. */
  plannedAt: string
  result: string
  image: string
  images: string[]
  attribution?: string
}

export type Latest = ReturnType<typeof createLatest>

/** Each loser of a race reads anew; more than a few at once for one name is no race but something wrong. */
const TRIES = 10

/** The pointers of the results bucket, which move forwards in planned time only, whoever comes last. */
export function createLatest(s3: S3Client) {
  async function read(Bucket: string, Key: string): Promise<{ etag: string; plannedAt: number } | undefined> {
    const action = `s3:GetObject on s3://${Bucket}/${Key}`
    return callAws(action, async () => {
      try {
        const { ETag = '', Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
        return { etag: ETag, plannedAt: readPlannedAt((await Body?.transformToString()) ?? '') }
      } catch (error) {
        if (statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket') return undefined
        throw error
      }
    })
  }

  /** Whether it was written: not when somebody else wrote since `etag` was read, or since nothing was there. */
  function write(Bucket: string, Key: string, edition: Edition, etag: string | undefined): Promise<boolean> {
    const command = new PutObjectCommand({
      Bucket,
      Key,
      Body: `${JSON.stringify(edition, null, 2)}\n`,
      ContentType: 'application/json',
      // Whoever shows the newest picture asks again each time.
      CacheControl: 'no-cache',
      // Marked like all that Darkroom writes: copied into the uploads bucket, it starts nothing.
      Metadata: { 'darkroom-job': edition.id },
      ...(etag === undefined ? { IfNoneMatch: '*' } : { IfMatch: etag }),
    })
    return callAws(`s3:PutObject on s3://${Bucket}/${Key}`, async () => {
      try {
        await s3.send(command)
        return true
      } catch (error) {
        // 409: two conditional writes met. 404: what was to be replaced is gone.
        if ([404, 409, 412].includes(statusOf(error) ?? 0) && (error as Error).name !== 'NoSuchBucket') return false
        throw error
      }
    })
  }

  return {
    /** Points `<name>/latest.json` to this edition, unless it points to one as new or newer. May be repeated. */
    async publish(bucket: string, name: string, edition: Edition): Promise<'published' | 'kept'> {
      const key = latestKey(name)
      for (let tried = 0; tried < TRIES; tried += 1) {
        const current = await read(bucket, key)
        if (current && current.plannedAt >= Date.parse(edition.plannedAt)) return 'kept'
        if (await write(bucket, key, edition, current?.etag)) return 'published'
      }
      throw new EditError('ERR_AWS_UNAVAILABLE', `s3://${bucket}/${key} was written by others ${TRIES} times in a row`)
    },
  }
}

function latestKey(name: string): string {
  return `${name}/latest.json`
}

const Known = z.object({ plannedAt: z.iso.datetime() })

/** A pointer that nobody can read is older than all others: it is replaced. */
function readPlannedAt(body: string): number {
  try {
    return Date.parse(Known.parse(JSON.parse(body)).plannedAt)
  } catch {
    return Number.NEGATIVE_INFINITY
  }
}
