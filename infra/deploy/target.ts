import { join } from 'node:path'
import { CloudFormationClient } from '@aws-sdk/client-cloudformation'
import { readArguments, UsageError } from '../cli/command.ts'
import { at, readServerlessFile } from '../local/serverless-file.ts'
import { Refusal } from './refusal.ts'
import type { Target } from './stack.ts'

const project = join(import.meta.dirname, '../..')

/** It becomes part of the names of functions and schedules, which AWS cuts at 64. */
const STAGE = /^[a-z][a-z0-9-]{0,29}$/
const REGION = /^[a-z]{2,3}(-[a-z]+)+-\d$/

type Asked = { stage: string; params: string[]; isSet: (flag: string) => boolean }

/**
 * `--stage X --region Y --param a=b …` of a command. Without `--region` it is the one that the AWS command line would take, so that
 * both mean the same place. Refuses what could only fail later, halfway: names that AWS does not take, parameters that
 * `serverless.yml` does not know, no region, no credentials.
 */
export async function readTarget(args: string[], flags: readonly string[] = []): Promise<Target & Asked> {
  const values = parse(args, flags)
  const { stage, param: params } = values
  if (!STAGE.test(stage))
    throw new UsageError(`--stage ${JSON.stringify(stage)} names no stage: it takes 1–30 of a–z 0–9 -, a letter first`)
  const region = values.region ?? (await findRegion())
  if (!REGION.test(region)) throw new UsageError(`${JSON.stringify(region)} is no region: eu-north-1 is one`)
  refuseUnknown(stage, params)
  await findCredentials(region)
  return { stage, region, params, isSet: flag => (values as Record<string, unknown>)[flag] === true }
}

function parse(args: string[], flags: readonly string[]) {
  const options = {
    stage: { type: 'string' as const },
    region: { type: 'string' as const },
    param: { type: 'string' as const, multiple: true as const, default: [] as string[] },
  }
  const more = Object.fromEntries(flags.map(name => [name, { type: 'boolean' as const, default: false }]))
  const { stage, ...values } = readArguments({ args, options: { ...options, ...more } }).values as {
    stage?: string
    region?: string
    param: string[]
  }
  if (stage === undefined) throw new UsageError('which stage? --stage dev is one')
  return { stage, ...values }
}

/** The environment's, or that of the profile in `~/.aws/config`. */
export async function findRegion(): Promise<string> {
  // The AWS command line reads this one too, the SDK does not.
  const named = process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION
  if (named) return named
  try {
    return await new CloudFormationClient().config.region()
  } catch (cause) {
    throw new Refusal('no region is set: give --region eu-north-1, or set AWS_REGION', { cause })
  }
}

async function findCredentials(region: string): Promise<void> {
  try {
    await new CloudFormationClient({ region }).config.credentials()
  } catch (cause) {
    const todo =
      'set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` tries them'
    throw new Refusal(`there are no AWS credentials: ${todo}`, { cause })
  }
}

/** osls takes a parameter that nothing reads, and the alarm's address would never be heard of. */
function refuseUnknown(stage: string, params: readonly string[]): void {
  const known = Object.keys((at(readServerlessFile(project, stage), ['params', 'default']) ?? {}) as object)
  const unknown = params.filter(param => !known.includes(param.split('=')[0] ?? '') || !param.includes('='))
  if (unknown.length === 0) return
  throw new UsageError(`--param ${unknown.join(', ')}: expected name=value with one of ${known.join(', ')}`)
}
