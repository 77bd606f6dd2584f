import { CloudFormationClient, GetTemplateCommand } from '@aws-sdk/client-cloudformation'
import { GetFunctionConfigurationCommand, LambdaClient, paginateListEventSourceMappings } from '@aws-sdk/client-lambda'
import { S3Client } from '@aws-sdk/client-s3'
import { GetQueueAttributesCommand, GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs'
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { ofType, type Packaged } from '../../checks/template.ts'
import { readStack, type Target, toStackName } from '../../deploy/stack.ts'
import { type Kept, readKept } from './bucket.ts'
import { checkEnvironment } from './environment.ts'
import { type Finding, type Findings, fault, well } from './finding.ts'
import type { Source } from './sources.ts'

/** A deployed stage, as it stands: somebody may have changed by hand what the template says. */
export type Account = { findings: Findings; template: Packaged; kept: Kept; sources: Source[]; apiKey?: string }

/** Reads a deployed stage. Refuses one that is not there. */
export async function readAccount(target: Target): Promise<Account> {
  const { region, stage } = target
  const stack = await readStack(target)
  const getTemplate = new GetTemplateCommand({ StackName: toStackName(target) })
  const { TemplateBody = '{}' } = await new CloudFormationClient({ region }).send(getTemplate)
  const template = JSON.parse(TemplateBody) as Packaged
  const lambda = new LambdaClient({ region })
  const job = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: stack.JobLambdaFunction }))
  const environment = checkEnvironment(job.Environment?.Variables ?? {}, stage)
  const key = await readKey(new SSMClient({ region }), environment.keyParameter)
  return {
    findings: [well(`stage ${stage} is deployed in ${region}`), ...environment.findings, ...key.findings],
    template,
    kept: await readKept(new S3Client({ region }), stack.RecipesBucket),
    sources: await listSources(lambda, new SQSClient({ region }), template),
    apiKey: key.apiKey,
  }
}

/** The key where the functions look for it, whatever the parameter is called. */
async function readKey(ssm: SSMClient, Name: string | undefined): Promise<{ findings: Finding[]; apiKey?: string }> {
  if (Name === undefined) return { findings: [] }
  const means = 'every job waits for it, and then runs by itself'
  const todo = `aws ssm put-parameter --overwrite --type SecureString --name ${Name} --value "$GEMINI_API_KEY"`
  try {
    const { Parameter } = await ssm.send(new GetParameterCommand({ Name, WithDecryption: true }))
    const apiKey = Parameter?.Value
    if (Parameter?.Type === 'SecureString')
      return { findings: [well(`the key is in the SecureString ${Name}`)], apiKey }
    return {
      findings: [fault(`${Name} is a ${Parameter?.Type}`, 'whoever lists parameters can read the key', todo)],
      apiKey,
    }
  } catch (error) {
    if (!(error instanceof Error) || !('$metadata' in error)) throw error
    const what =
      error.name === 'ParameterNotFound' ? `the key is not in ${Name}` : `${Name} can't be read: ${error.message}`
    return { findings: [fault(what, means, todo)] }
  }
}

async function listSources(lambda: LambdaClient, sqs: SQSClient, template: Packaged): Promise<Source[]> {
  const names = ofType(template, 'AWS::Lambda::Function').map(([, it]) => String(it.FunctionName))
  const sources: Source[] = []
  for await (const { EventSourceMappings = [] } of paginateListEventSourceMappings({ client: lambda }, {})) {
    for (const { FunctionArn, EventSourceArn = '', BatchSize = 10, ScalingConfig, State } of EventSourceMappings) {
      const functionName = FunctionArn?.split(':')[6] ?? ''
      if (!names.includes(functionName)) continue
      const { Timeout = 3 } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: functionName }))
      sources.push({
        queue: EventSourceArn.split(':').at(-1) ?? '',
        functionName,
        timeoutS: Timeout,
        visibilityS: await readVisibility(sqs, EventSourceArn),
        batchSize: BatchSize,
        maximumConcurrency: ScalingConfig?.MaximumConcurrency ?? Number.POSITIVE_INFINITY,
        isOn: !/^Disabl/.test(State ?? ''),
      })
    }
  }
  return sources
}

async function readVisibility(sqs: SQSClient, arn: string): Promise<number> {
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: arn.split(':').at(-1) }))
  const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['VisibilityTimeout'] })
  return Number((await sqs.send(command)).Attributes?.VisibilityTimeout)
}
