import type { Schedule } from './schedules.ts'
import { at, readServerlessFile, type Value } from './serverless-file.ts'

/** Where the local stack's resources claim to live; fauxqs knows no other account. */
export const region = 'us-east-1'
export const accountId = '000000000000'

export type QueueSource = {
  queueName: string
  queueArn: string
  batchSize: number
  maximumConcurrency: number
  reportsItemFailures: boolean
}
export type FunctionTemplate = {
  name: string
  timeoutMs: number
  memoryMb: number
  sources: QueueSource[]
  hasUrl: boolean
}
export type BucketTemplate = { name: string; queueArns: string[] }
export type QueueTemplate = { name: string; arn: string; attributes: Record<string, string> }
export type TopicTemplate = { name: string; arn: string }
export type TableTemplate = { name: string; properties: Record<string, unknown> }

/** What `serverless.yml` asks for, in the words of the local stack. */
export type Template = {
  functions: FunctionTemplate[]
  /** Those that are switched on. */
  schedules: Schedule[]
  buckets: BucketTemplate[]
  queues: QueueTemplate[]
  topics: TopicTemplate[]
  tables: TableTemplate[]
  /** The functions' environment; queue URLs need the address that the queues got. */
  environment(endpoint: string): Record<string, string>
}

export type Resource = { id: string; type: string; name: string; properties: Value }

const queueAttributes = ['VisibilityTimeout', 'DelaySeconds', 'MessageRetentionPeriod', 'ReceiveMessageWaitTimeSeconds']

/** Reads the resources and functions of the `serverless.yml` in a folder, with every reference resolved. */
export function readTemplate(root: string): Template {
  const file = readServerlessFile(root, 'local')
  const resources = readResources(file)
  const resolve = createResolver(resources)
  const ofType = (type: string) => [...resources.values()].filter(resource => resource.type === type)

  return {
    functions: Object.entries(record(at(file, ['functions']))).map(([name, spec]) => ({
      name,
      timeoutMs: 1000 * number(at(spec, ['timeout']) ?? at(file, ['provider', 'timeout']), `timeout of ${name}`),
      memoryMb: number(at(spec, ['memorySize']) ?? at(file, ['provider', 'memorySize']), `memorySize of ${name}`),
      sources: list(at(spec, ['events'])).flatMap(event => readSource(at(event, ['sqs']), resolve)),
      hasUrl: at(spec, ['url']) === true,
    })),
    schedules: Object.entries(record(at(file, ['functions']))).flatMap(([name, spec]) =>
      list(at(spec, ['events'])).flatMap(event => readSchedule(name, at(event, ['schedule']))),
    ),
    buckets: ofType('AWS::S3::Bucket').map(({ name, properties }) => ({
      name,
      queueArns: list(at(properties, ['NotificationConfiguration', 'QueueConfigurations'])).map(configuration =>
        String(resolve(at(configuration, ['Queue']))),
      ),
    })),
    queues: ofType('AWS::SQS::Queue').map(({ name, properties }) => ({
      name,
      arn: toArn('AWS::SQS::Queue', name),
      attributes: readQueueAttributes(properties, resolve),
    })),
    topics: ofType('AWS::SNS::Topic').map(({ name }) => ({ name, arn: toArn('AWS::SNS::Topic', name) })),
    tables: ofType('AWS::DynamoDB::Table').map(({ name, properties }) => ({
      name,
      properties: record(resolve(properties)),
    })),
    environment(endpoint) {
      const inEnvironment = createResolver(resources, endpoint)
      const values = Object.entries(record(at(file, ['provider', 'environment'])))
      return Object.fromEntries(values.map(([name, value]) => [name, String(inEnvironment(value))]))
    },
  }
}

function readResources(file: Value): Map<string, Resource> {
  const blocks = [at(file, ['resources']) ?? []]
    .flat()
    .flatMap(block => Object.entries(record(at(block, ['Resources']))))
  return new Map(
    blocks.map(([id, block]) => {
      const type = String(at(block, ['Type']))
      return [id, { id, type, name: toName(id), properties: at(block, ['Properties']) ?? {} }]
    }),
  )
}

// The deployment leaves the names to CloudFormation; here they are short enough to type: UploadsBucket → darkroom-uploads.
export function toName(id: string): string {
  const words = id.replace(/(Bucket|Queue|Table|Topic)$/, '').replace(/(?<!^)(?=[A-Z])/g, '-')
  return `darkroom-${words.toLowerCase()}`
}

function toArn(type: string, name: string): string {
  if (type === 'AWS::S3::Bucket') return `arn:aws:s3:::${name}`
  if (type === 'AWS::DynamoDB::Table') return `arn:aws:dynamodb:${region}:${accountId}:table/${name}`
  const service = type.split('::')[1]?.toLowerCase()
  return `arn:aws:${service}:${region}:${accountId}:${name}`
}

type Resolve = (value: Value | undefined) => Value

const pseudoParameters: Record<string, string> = {
  'AWS::AccountId': accountId,
  'AWS::Region': region,
  'AWS::Partition': 'aws',
}

/** Fills in references to resources as the local stack names them. */
export function createResolver(resources: Map<string, Resource>, endpoint = ''): Resolve {
  const refer = (id: string): string => {
    const resource = resources.get(id)
    if (!resource) return pseudoParameters[id] ?? fail(`serverless.yml refers to ${id}, which no resource is called`)
    if (resource.type === 'AWS::SQS::Queue') return `${endpoint}/${accountId}/${resource.name}`
    return resource.type === 'AWS::SNS::Topic' ? toArn(resource.type, resource.name) : resource.name
  }
  const attribute = (id: string, name: string): string => {
    const resource = resources.get(id) ?? fail(`serverless.yml refers to ${id}.${name}, which no resource is called`)
    return name === 'Arn' ? toArn(resource.type, resource.name) : resource.name
  }
  const resolve: Resolve = (value = null) => {
    if (Array.isArray(value)) return value.map(resolve)
    if (value === null || typeof value !== 'object') return value
    if (typeof value.Ref === 'string') return refer(value.Ref)
    const path = value['Fn::GetAtt']
    if (Array.isArray(path)) return attribute(String(path[0]), String(path[1]))
    const text = value['Fn::Sub']
    if (typeof text === 'string') {
      return text.replace(/\$\{([\w:]+)(?:\.(\w+))?\}/g, (_, id, name) => (name ? attribute(id, name) : refer(id)))
    }
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, resolve(inner)]))
  }
  return resolve
}

function readSource(sqs: Value | undefined, resolve: Resolve): QueueSource[] {
  if (sqs === undefined) return []
  const queueArn = String(resolve(at(sqs, ['arn'])))
  return [
    {
      queueName: queueArn.split(':').at(-1) ?? '',
      queueArn,
      batchSize: number(at(sqs, ['batchSize']), `batchSize of ${queueArn}`),
      maximumConcurrency: number(at(sqs, ['maximumConcurrency']), `maximumConcurrency of ${queueArn}`),
      reportsItemFailures: at(sqs, ['functionResponseType']) === 'ReportBatchItemFailures',
    },
  ]
}

function readSchedule(functionName: string, schedule: Value | undefined): Schedule[] {
  if (schedule === undefined || at(schedule, ['enabled']) === false) return []
  const text = (key: string) => at(schedule, [key])?.toString()
  const expression = text('rate') ?? fail(`serverless.yml gives no rate for a schedule of ${functionName}`)
  const name = text('name') ?? functionName
  return [{ name, functionName, expression, timeZone: text('timezone'), input: at(schedule, ['input']) }]
}

function readQueueAttributes(properties: Value, resolve: Resolve): Record<string, string> {
  const plain = queueAttributes.flatMap(name => {
    const value = at(properties, [name])
    return value === undefined ? [] : [[name, String(value)] as const]
  })
  const redrive = at(properties, ['RedrivePolicy'])
  const redriveEntry = redrive === undefined ? [] : [['RedrivePolicy', JSON.stringify(resolve(redrive))] as const]
  return Object.fromEntries([...plain, ...redriveEntry])
}

function record(value: Value | undefined): Record<string, Value> {
  return value && typeof value === 'object' && !Array.isArray(value) ? value : {}
}

function list(value: Value | undefined): Value[] {
  return Array.isArray(value) ? value : []
}

function number(value: Value | undefined, what: string): number {
  return typeof value === 'number' ? value : fail(`serverless.yml gives no number for the ${what}`)
}

function fail(message: string): never {
  throw new Error(message)
}
