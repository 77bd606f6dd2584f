import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeleteObjectsCommand, ListObjectVersionsCommand, type S3Client } from '@aws-sdk/client-s3'

const SHIPPED = join(import.meta.dirname, '../recipes')

/** A file that ships, with its key in the recipes bucket. */
export type Shipped = { key: string; file: string }

/** The recipes that ship, and what lies beside them. */
export async function listShipped(folder = SHIPPED): Promise<Shipped[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .map(file => ({ file, key: file.slice(folder.length + 1).replaceAll('\\', '/') }))
}

/** What a bucket holds, in words; `undefined` where that is nothing. An object that was deleted still has its versions. */
export async function tellHoldings(s3: S3Client, Bucket: string): Promise<string | undefined> {
  return tell(Bucket, await listVersions(s3, Bucket))
}

/** As `tellHoldings`, but for what ships and was not changed: that can be put again. */
export async function tellOwnRecipes(s3: S3Client, Bucket: string): Promise<string | undefined> {
  const shipped = new Map<string, string>()
  for (const { key, file } of await listShipped())
    shipped.set(
      key,
      `"${createHash('md5')
        .update(await readFile(file))
        .digest('hex')}"`,
    )
  const versions = await listVersions(s3, Bucket)
  return tell(
    Bucket,
    versions.filter(({ Key = '', ETag }) => ETag === undefined || shipped.get(Key) !== ETag),
  )
}

function tell(bucket: string, versions: Version[]): string | undefined {
  const [first] = versions
  if (!first) return undefined
  const count = versions.length < PAGE ? versions.length : `${PAGE} or more`
  return `s3://${bucket} holds ${count} ${count === 1 ? 'object' : 'objects and versions'}, for one ${first.Key}`
}

/** Deletes everything, versions and delete markers too. */
export async function empty(s3: S3Client, Bucket: string): Promise<void> {
  for (;;) {
    const Objects = (await listVersions(s3, Bucket)).map(({ Key, VersionId }) => ({ Key, VersionId }))
    if (Objects.length === 0) return
    const { Errors: [error] = [] } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    if (error) throw new Error(`${Bucket}/${error.Key} can't be deleted: ${error.Message}`)
  }
}

const PAGE = 1000
type Version = { Key?: string; VersionId?: string; ETag?: string }

async function listVersions(s3: S3Client, Bucket: string): Promise<Version[]> {
  const command = new ListObjectVersionsCommand({ Bucket, MaxKeys: PAGE })
  const { Versions = [], DeleteMarkers = [] } = await s3.send(command)
  return [...Versions, ...DeleteMarkers]
}
