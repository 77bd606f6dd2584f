import { CloudFormationClient, paginateListStackResources } from '@aws-sdk/client-cloudformation'
import { Refusal } from './refusal.ts'

/** What commands need of a deployed stack, by the logical ids of the template. */
const NEEDED = [
  'UploadsBucket',
  'ResultsBucket',
  'RecipesBucket',
  'UploadsQueue',
  'JobsQueue',
  'BatchesQueue',
  'LedgerTable',
  'ResultsTopic',
  'OperatorsTopic',
  'JobLambdaFunction',
  'ServerlessDeploymentBucket',
] as const

/** What a deployed stack calls its resources, by their logical ids: names, and URLs of queues and ARNs of topics. */
export type StackResources = Record<(typeof NEEDED)[number], string>

/** Which deployment; several stand side by side in an account. */
export type Target = { stage: string; region: string }

export function toStackName({ stage }: Pick<Target, 'stage'>): string {
  return `darkroom-${stage}`
}

/** Refuses a stage that is not deployed in the region, or not whole. */
export async function readStack(target: Target): Promise<StackResources> {
  const names = await listResources(target)
  const missing = NEEDED.filter(id => !names[id])
  if (missing.length === NEEDED.length) throw notThere(target)
  if (missing.length > 0)
    throw new Refusal(
      `stack ${toStackName(target)} in ${target.region} lacks ${missing.join(', ')}: deploy it again, or look at its events in CloudFormation`,
    )
  return names as StackResources
}

async function listResources(target: Target): Promise<Record<string, string>> {
  const client = new CloudFormationClient({ region: target.region })
  const names: Record<string, string> = {}
  try {
    for await (const page of paginateListStackResources({ client }, { StackName: toStackName(target) })) {
      for (const { LogicalResourceId = '', PhysicalResourceId = '', ResourceStatus } of page.StackResourceSummaries ??
        [])
        if (ResourceStatus !== 'DELETE_COMPLETE') names[LogicalResourceId] = PhysicalResourceId
    }
  } catch (error) {
    if (error instanceof Error && /does not exist/.test(error.message)) throw notThere(target, error)
    throw error
  }
  return names
}

function notThere({ stage, region }: Target, cause?: Error): Refusal {
  return new Refusal(`stage ${stage} is not deployed in ${region}: is it another --stage, --region or account?`, {
    cause,
  })
}
