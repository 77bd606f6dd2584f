import { readFile } from 'node:fs/promises'
import { GetObjectCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3'
import { listShipped } from '../../deploy/holdings.ts'

/** The recipes by their keys, and `settings.json` where there is one. */
export type Kept = { recipes: Map<string, string>; settings?: string }

export async function readKept(client: S3Client, Bucket: string): Promise<Kept> {
  const recipes = new Map<string, string>()
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Delimiter: '/' })) {
    for (const { Key = '' } of Contents.filter(it => it.Key?.endsWith('.json'))) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
      recipes.set(Key, (await Body?.transformToString()) ?? '')
    }
  }
  const settings = recipes.get('settings.json')
  recipes.delete('settings.json')
  return { recipes, settings }
}

/** What a deployment puts into the bucket. */
export async function readShipped(): Promise<Kept> {
  const recipes = (await listShipped()).filter(({ key }) => /^[^/]+\.json$/.test(key))
  return {
    recipes: new Map(await Promise.all(recipes.map(async it => [it.key, await readFile(it.file, 'utf8')] as const))),
  }
}
