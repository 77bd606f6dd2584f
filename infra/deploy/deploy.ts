import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { checkPackage } from '../checks/rules.ts'
import { run } from '../cli/run.ts'
import { listShipped, type Shipped } from './holdings.ts'
import { PACKAGE_FOLDER, packageService, runOsls } from './package.ts'
import { Refusal } from './refusal.ts'
import { readStack, type StackResources, type Target } from './stack.ts'
import { readTarget } from './target.ts'

const HELP = `npm run deploy -- --stage NAME [--region REGION] [--param name=value]…

Packages, checks and deploys a stage, and puts the shipped recipes where there are none of their names. The region is the one
that the AWS command line would take; the parameters are those of serverless.yml.`

/** Deploys what `npm run build` left. Nothing is changed in the account when a check fails. */
export async function deploy(options: Target & { params: readonly string[] }): Promise<StackResources> {
  const { stage, region, params } = options
  // Not where `npm run package` puts what the checks look at: a deployment has its stage and its parameters in it.
  const folder = join(PACKAGE_FOLDER, '../deploy', stage)
  await packageService({ ...options, folder, at: Date.now() })
  const faults = checkPackage(folder)
  if (faults.length > 0) throw new Refusal(`not deployed; the template breaks its rules:\n${faults.join('\n')}`)
  const flags = ['--stage', stage, '--region', region, ...params.flatMap(it => ['--param', it])]
  await runOsls(['deploy', '--package', folder, ...flags])
  const stack = await readStack(options)
  await putRecipes(new S3Client({ region }), stack.RecipesBucket)
  return stack
}

/** Puts the recipes that ship where there is none of that name: a recipe that an operator changed stays. Returns the keys put. */
export async function putRecipes(s3: S3Client, Bucket: string): Promise<string[]> {
  const put = async ({ key: Key, file }: Shipped) => {
    if (await isThere(s3, Bucket, Key)) return []
    const ContentType = Key.endsWith('.json') ? 'application/json' : 'image/png'
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: await readFile(file), ContentType }))
    return [Key]
  }
  return (await Promise.all((await listShipped()).map(put))).flat()
}

async function isThere(s3: S3Client, Bucket: string, Key: string): Promise<boolean> {
  try {
    await s3.send(new HeadObjectCommand({ Bucket, Key }))
    return true
  } catch (error) {
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 404) return false
    throw error
  }
}

async function main(): Promise<number> {
  const target = await readTarget(process.argv.slice(2))
  console.log(`deploying stage ${target.stage} to ${target.region}; the first time takes some minutes`)
  const stack = await deploy(target)
  console.log(`deployed to ${target.region} as stage ${target.stage}; drop a photo with:`)
  console.log(`  aws s3 cp photo.jpg s3://${stack.UploadsBucket}/watercolour/`)
  console.log(`and find the print in:\n  aws s3 ls --recursive s3://${stack.ResultsBucket}/watercolour/`)
  console.log(`npm run darkroom -- doctor --stage ${target.stage} --region ${target.region} looks whether all is well`)
  return 0
}

if (import.meta.main) await run(HELP, main)
