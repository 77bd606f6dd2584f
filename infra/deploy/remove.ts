import { CloudFormationClient, DeleteStackCommand, waitUntilStackDeleteComplete } from '@aws-sdk/client-cloudformation'
import { DeleteTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DeleteBucketCommand, DeleteObjectsCommand, ListObjectVersionsCommand, S3Client } from '@aws-sdk/client-s3'
import { run } from '../cli/run.ts'
import { readStack, type Target, toStackName } from './stack.ts'
import { readTarget } from './target.ts'

const HELP = `npm run remove -- [--stage dev] [--region us-east-1] [--delete-pictures]

Removes a stage's stack. Buckets that hold something stay, and the ledger with them, unless --delete-pictures is said.`

/** What was left standing, by name. */
export async function remove(target: Target, { deletePictures }: { deletePictures: boolean }): Promise<string[]> {
  const { region } = target
  const s3 = new S3Client({ region })
  const { UploadsBucket, ResultsBucket, RecipesBucket, LedgerTable, ServerlessDeploymentBucket } =
    await readStack(target)
  // CloudFormation deletes no bucket that holds something, and this one holds only what was deployed.
  await empty(s3, ServerlessDeploymentBucket)
  const cloudFormation = new CloudFormationClient({ region })
  const StackName = toStackName(target)
  await cloudFormation.send(new DeleteStackCommand({ StackName }))
  await waitUntilStackDeleteComplete({ client: cloudFormation, maxWaitTime: 1800 }, { StackName })
  const kept: string[] = []
  for (const bucket of [UploadsBucket, ResultsBucket, RecipesBucket]) {
    if (deletePictures) await empty(s3, bucket)
    if (await isEmpty(s3, bucket)) await s3.send(new DeleteBucketCommand({ Bucket: bucket }))
    else kept.push(bucket)
  }
  // Without the ledger, jobs that are sent again would run again; it goes when nothing is left that it tells of.
  if (kept.length > 0) return [...kept, LedgerTable]
  await new DynamoDBClient({ region }).send(new DeleteTableCommand({ TableName: LedgerTable }))
  return []
}

async function listVersions(s3: S3Client, Bucket: string) {
  const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: 1000 }))
  return [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }))
}

/** An object that was deleted still has its versions. */
async function isEmpty(s3: S3Client, bucket: string): Promise<boolean> {
  return (await listVersions(s3, bucket)).length === 0
}

async function empty(s3: S3Client, Bucket: string): Promise<void> {
  for (;;) {
    const Objects = await listVersions(s3, Bucket)
    if (Objects.length === 0) return
    const { Errors: [error] = [] } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    if (error) throw new Error(`${Bucket}/${error.Key} can't be deleted: ${error.Message}`)
  }
}

async function main(): Promise<number> {
  const target = readTarget(process.argv.slice(2), ['delete-pictures'])
  const kept = await remove(target, { deletePictures: target.isSet('delete-pictures') })
  console.log(`stage ${target.stage} is removed from ${target.region}`)
  if (kept.length > 0)
    console.log(`kept, because they hold something: ${kept.join(', ')}\n--delete-pictures deletes them`)
  return 0
}

if (import.meta.main) await run(HELP, main)
