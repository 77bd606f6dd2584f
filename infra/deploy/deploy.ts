import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { checkPackage } from '../checks/rules.ts'
import { run } from '../cli/run.ts'
import { packageService, runOsls } from './package.ts'
import { readStack, type StackResources, type Target } from './stack.ts'
import { readTarget } from './target.ts'

const HELP = `npm run deploy -- [--stage dev] [--region us-east-1] [--param name=value]…

Packages, checks and deploys a stage, and puts the shipped recipes where there are none of their names. The parameters are
those of serverless.yml.`

const recipes = join(import.meta.dirname, '../recipes')

/** Deploys what `npm run build` left. Nothing is changed in the account when a check fails. */
export async function deploy(
  options: Target & { params: readonly string[]; folder?: string },
): Promise<StackResources> {
  const { stage, region, params } = options
  const folder = await packageService({ ...options, at: Date.now() })
  const faults = checkPackage(folder)
  if (faults.length > 0) throw new Error(`not deployed; the template breaks its rules:\n${faults.join('\n')}`)
  const flags = ['--stage', stage, '--region', region, ...params.flatMap(it => ['--param', it])]
  await runOsls(['deploy', '--package', folder, ...flags])
  const stack = await readStack(options)
  await putRecipes(new S3Client({ region }), stack.RecipesBucket)
  return stack
}

/** Puts the recipes that ship where there is none of that name: a recipe that an operator changed stays. */
export async function putRecipes(s3: S3Client, Bucket: string, folder = recipes): Promise<string[]> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile())
  const put = files.map(async entry => {
    const file = join(entry.parentPath, entry.name)
    const Key = file.slice(folder.length + 1).replaceAll('\\', '/')
    const isThere = await s3.send(new HeadObjectCommand({ Bucket, Key })).then(
      () => true,
      (error: { $metadata?: { httpStatusCode?: number } }) => {
        if (error.$metadata?.httpStatusCode === 404) return false
        throw error
      },
    )
    if (isThere) return []
    const ContentType = Key.endsWith('.json') ? 'application/json' : 'image/png'
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: await readFile(file), ContentType }))
    return [Key]
  })
  return (await Promise.all(put)).flat()
}

async function main(): Promise<number> {
  const target = readTarget(process.argv.slice(2))
  const stack = await deploy(target)
  console.log(`deployed to ${target.region} as stage ${target.stage}; drop a photo with:`)
  console.log(`  aws s3 cp photo.jpg s3://${stack.UploadsBucket}/watercolour/`)
  console.log(`and find the print in:\n  aws s3 ls --recursive s3://${stack.ResultsBucket}/watercolour/`)
  return 0
}

if (import.meta.main) await run(HELP, main)
