import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'

const contentTypes: Record<string, string> = {
  '.json': 'application/json',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
}

/** Puts every file of a folder, and of the folders in it, into a bucket under its relative name. */
export async function uploadRecipes(s3: S3Client, bucket: string, folder: string): Promise<void> {
  if (!existsSync(folder)) return
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  for (const file of files) {
    const Key = relative(folder, file).split(sep).join('/')
    const ContentType = contentTypes[extname(file).toLowerCase()] ?? 'application/octet-stream'
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: await readFile(file), ContentType }))
  }
}
