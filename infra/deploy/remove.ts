import { CloudFormationClient, DeleteStackCommand, waitUntilStackDeleteComplete } from '@aws-sdk/client-cloudformation'
import { DeleteTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DeleteBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { UsageError } from '../cli/command.ts'
import { run } from '../cli/run.ts'
import { empty, tellHoldings, tellOwnRecipes } from './holdings.ts'
import { Refusal } from './refusal.ts'
import { readStack, type StackResources, type Target, toStackName } from './stack.ts'
import { readTarget } from './target.ts'

const HELP = `npm run remove -- --stage NAME [--region REGION] [--keep-pictures | --delete-pictures]

The stage goes. Where a bucket holds something of its owner's, nothing is touched until the command says what shall become of it.`

/** What becomes of what the buckets hold. */
export type Pictures = 'refuse' | 'keep' | 'delete'

/** Removes a stage and returns, in words, what was left standing. Refuses to touch anything where pictures are in the way. */
export async function remove(target: Target, pictures: Pictures): Promise<string[]> {
  const s3 = new S3Client({ region: target.region })
  const stack = await readStack(target)
  const { UploadsBucket, ResultsBucket, RecipesBucket, LedgerTable, ServerlessDeploymentBucket } = stack
  if (pictures === 'refuse') await refuseHoldings(s3, target, stack)
  // While the stack still knows their names: what fails here can be done again.
  if (pictures === 'delete') for (const bucket of [UploadsBucket, ResultsBucket, RecipesBucket]) await empty(s3, bucket)
  // CloudFormation deletes no bucket that holds something, and this one holds only what was deployed.
  await empty(s3, ServerlessDeploymentBucket)
  await deleteStack(target)
  const kept: string[] = []
  for (const bucket of [UploadsBucket, ResultsBucket, RecipesBucket]) {
    const tellHeld = bucket === RecipesBucket && pictures === 'refuse' ? tellOwnRecipes : tellHoldings
    // Looked at again: a function may have written until the stack was gone.
    const held = pictures === 'delete' ? undefined : await tellHeld(s3, bucket)
    if (held) {
      kept.push(held)
      continue
    }
    await empty(s3, bucket)
    await s3.send(new DeleteBucketCommand({ Bucket: bucket }))
  }
  // Without the ledger, jobs that are sent again would run again; it goes when nothing is left that it tells of.
  if (kept.length > 0) return [...kept, `table ${LedgerTable} knows what became of every job`]
  await new DynamoDBClient({ region: target.region }).send(new DeleteTableCommand({ TableName: LedgerTable }))
  return []
}

async function refuseHoldings(s3: S3Client, { stage }: Target, stack: StackResources): Promise<void> {
  const { UploadsBucket, ResultsBucket, RecipesBucket } = stack
  const held = [
    await tellHoldings(s3, UploadsBucket),
    await tellHoldings(s3, ResultsBucket),
    await tellOwnRecipes(s3, RecipesBucket),
  ].filter(it => it !== undefined)
  if (held.length === 0) return
  throw new Refusal(
    `stage ${stage} is not removed, and nothing was touched:\n  ${held.join('\n  ')}\n` +
      'copy what you need, then --delete-pictures deletes all of it for ever;\n' +
      '--keep-pictures removes the stack and leaves these buckets and the ledger standing',
  )
}

async function deleteStack(target: Target): Promise<void> {
  const client = new CloudFormationClient({ region: target.region })
  const StackName = toStackName(target)
  await client.send(new DeleteStackCommand({ StackName }))
  try {
    await waitUntilStackDeleteComplete({ client, maxWaitTime: 1800, minDelay: 5, maxDelay: 10 }, { StackName })
  } catch (cause) {
    throw new Refusal(`CloudFormation could not delete ${StackName}: its events say why. No picture was touched`, {
      cause,
    })
  }
}

async function main(): Promise<number> {
  const target = await readTarget(process.argv.slice(2), ['keep-pictures', 'delete-pictures'])
  const [keeps, deletes] = [target.isSet('keep-pictures'), target.isSet('delete-pictures')]
  if (keeps && deletes) throw new UsageError('--keep-pictures or --delete-pictures?')
  const kept = await remove(target, deletes ? 'delete' : keeps ? 'keep' : 'refuse')
  console.log(`stage ${target.stage} is removed from ${target.region}; its keys stay in the parameter store`)
  if (kept.length > 0) console.log(`left standing:\n  ${kept.join('\n  ')}`)
  return 0
}

if (import.meta.main) await run(HELP, main)
