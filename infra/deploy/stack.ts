import { CloudFormationClient, paginateListStackResources } from '@aws-sdk/client-cloudformation'
import { z } from 'zod'

/** What a deployed stack calls its resources, by their logical ids: names, and URLs of queues and ARNs of topics. */
const Resources = z.object({
  UploadsBucket: z.string(),
  ResultsBucket: z.string(),
  RecipesBucket: z.string(),
  UploadsQueue: z.string(),
  JobsQueue: z.string(),
  BatchesQueue: z.string(),
  LedgerTable: z.string(),
  ResultsTopic: z.string(),
  OperatorsTopic: z.string(),
  ServerlessDeploymentBucket: z.string(),
})
export type StackResources = z.infer<typeof Resources>

/** Which deployment; several stand side by side in an account. */
export type Target = { stage: string; region: string }

export function toStackName({ stage }: Target): string {
  return `darkroom-${stage}`
}

/** Refuses a stage that is not deployed in the region. */
export async function readStack(target: Target): Promise<StackResources> {
  const client = new CloudFormationClient({ region: target.region })
  const names: Record<string, string> = {}
  for await (const page of paginateListStackResources({ client }, { StackName: toStackName(target) })) {
    for (const { LogicalResourceId = '', PhysicalResourceId = '' } of page.StackResourceSummaries ?? [])
      names[LogicalResourceId] = PhysicalResourceId
  }
  return Resources.parse(names)
}
