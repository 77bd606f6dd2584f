import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { DeleteObjectCommand, PutObjectCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3'

const contentTypes: Record<string, string> = {
  '.json': 'application/json',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
}

/** Makes a bucket hold exactly the files of a folder, and of the folders in it, under their relative names. */
export async function mirrorRecipes(s3: S3Client, Bucket: string, folder: string): Promise<void> {
  if (!existsSync(folder)) return
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  const files = new Map(paths.map(path => [relative(folder, path).split(sep).join('/'), path]))
  for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket })) {
    for (const { Key = '' } of Contents) if (!files.has(Key)) await s3.send(new DeleteObjectCommand({ Bucket, Key }))
  }
  for (const [Key, path] of files) {
    const ContentType = contentTypes[extname(path).toLowerCase()] ?? 'application/octet-stream'
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: await readFile(path), ContentType }))
  }
}
