import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { checkBuckets, checkKept, checkLifeCycles, checkNotices, checkPublic, checkRestore } from './buckets.ts'
import { checkPermissions, checkRoles, checkServices, checkTrust, checkUrls } from './permissions.ts'
import { checkBatches, checkConcurrency, checkDeadLetters, checkVisibility } from './queues.ts'
import { checkKeptTicks, checkScheduler } from './schedules.ts'
import { checkSchemas } from './schema.ts'
import { at, findReferences, findStatements, ofType, type Packaged, readPackaged, toList } from './template.ts'
import { checkActions, checkLogGroups, checkMetrics, checkWatched } from './watch.ts'

/** What is checked of a packaged template before anybody deploys it: a row a rule. It answers with what breaks it. */
export const RULES = {
  'known-to-aws': checkSchemas,
  'no-dangling-reference': checkReferences,
  'no-cycle': checkCycles,
  'no-wildcard': checkPermissions,
  'role-per-function': checkRoles,
  'lambda-alone-assumes-functions-roles': checkTrust,
  'services-of-this-account': checkServices,
  'one-public-url': checkUrls,
  'scheduler-has-own-role': checkScheduler,
  'lost-ticks-kept': checkKeptTicks,
  'no-public-bucket': checkPublic,
  'tls-only': checkTls,
  encrypted: checkEncryption,
  'buckets-distinct': checkBuckets,
  'only-uploads-start-jobs': checkNotices,
  'data-outlives-stack': checkKept,
  'data-can-be-restored': checkRestore,
  'life-cycles': checkLifeCycles,
  'visibility-six-times-timeout': checkVisibility,
  'dead-letter-queue-each': checkDeadLetters,
  'partial-batches': checkBatches,
  'bounded-concurrency': checkConcurrency,
  'no-secret-in-environment': checkEnvironment,
  'runtime-as-tested': checkRuntime,
  'every-function-watched': checkWatched,
  'alarms-tell-operators': checkActions,
  'metrics-are-logged': checkMetrics,
  'logs-end': checkLogGroups,
} as const satisfies Record<string, (template: Packaged) => string[]>

/** Lambda takes 250 MB unzipped; a bundle over this has swallowed something that a function does not need. */
const ZIP_LIMIT_BYTES = 2_000_000

/** Every fault of a packaged folder, each with the name of its rule. */
export function checkPackage(folder: string): string[] {
  const template = readPackaged(folder)
  return [...checkTemplate(template), ...checkBundles(template, folder).map(fault => `bundle-size: ${fault}`)]
}

export function checkTemplate(template: Packaged): string[] {
  return Object.entries(RULES).flatMap(([name, check]) => check(template).map(fault => `${name}: ${fault}`))
}

/** Bundles that are missing or larger than they should be. */
export function checkBundles(template: Packaged, folder: string, limitBytes = ZIP_LIMIT_BYTES): string[] {
  return ofType(template, 'AWS::Lambda::Function').flatMap(([id, properties]) => {
    const zip = join(
      folder,
      String(at(properties, 'Code', 'S3Key'))
        .split('/')
        .at(-1) ?? '',
    )
    if (!existsSync(zip)) return [`${id}: ${zip} is missing`]
    const { size } = statSync(zip)
    return size > limitBytes ? [`${id}: ${zip} has ${size} bytes, more than ${limitBytes}`] : []
  })
}

function checkReferences({ Parameters = {}, Resources, Outputs = {} }: Packaged): string[] {
  return Object.entries({ ...Resources, ...Outputs }).flatMap(([id, resource]) =>
    [...findReferences(resource as never), ...toList((resource as { DependsOn?: string }).DependsOn)]
      .map(String)
      .filter(other => !other.startsWith('AWS::') && !(other in Resources) && !(other in Parameters))
      .map(other => `${id} refers to ${other}, which is not in the template`),
  )
}

function checkCycles({ Resources }: Packaged): string[] {
  const over = new Set<string>()
  const walk = (id: string, path: string[]): string[] => {
    if (path.includes(id)) return [[...path.slice(path.indexOf(id)), id].join(' → ')]
    const resource = Resources[id]
    if (over.has(id) || !resource) return []
    const needed = [...findReferences(resource.Properties), ...toList(resource.DependsOn).map(String)]
    const found = [...new Set(needed)].flatMap(other => walk(other, [...path, id]))
    over.add(id)
    return found
  }
  return Object.keys(Resources).flatMap(id => walk(id, []))
}

/** What a policy of a resource's own must refuse, by type: for a bucket, of its objects too. */
const CONVERSED = ['AWS::S3::Bucket', 'AWS::SQS::Queue', 'AWS::SNS::Topic']
const ALL_OF_IT = ['s3:*', 'sqs:*', 'sns:Publish']

function checkTls(template: Packaged): string[] {
  const refusals = findStatements(template).filter(
    ({ effect, statement, actions }) =>
      effect === 'Deny' &&
      String(at(statement, 'Condition', 'Bool', 'aws:SecureTransport')) === 'false' &&
      [at(statement, 'Principal'), at(statement, 'Principal', 'AWS')].includes('*') &&
      actions.some(action => ALL_OF_IT.includes(action)),
  )
  const refused = refusals.flatMap(({ resources }) => resources)
  const names = (id: string) => refused.filter(resource => findReferences(resource).includes(id))
  const hasObjects = (id: string) => names(id).some(resource => JSON.stringify(resource).includes('/*'))
  return CONVERSED.flatMap(type => ofType(template, type).map(([id]) => ({ id, isBucket: type.endsWith('Bucket') })))
    .filter(({ id, isBucket }) => names(id).length === 0 || (isBucket && !hasObjects(id)))
    .map(({ id }) => `${id} can be spoken to without TLS`)
}

function checkEncryption(template: Packaged): string[] {
  const buckets = ofType(template, 'AWS::S3::Bucket').filter(([, it]) => !at(it, 'BucketEncryption'))
  const queues = ofType(template, 'AWS::SQS::Queue').filter(
    ([, it]) => it.SqsManagedSseEnabled !== true && !it.KmsMasterKeyId,
  )
  return [...buckets, ...queues].map(([id]) => `${id} is not encrypted`)
}

const SECRET_NAME = /^(GEMINI_API_KEY|GEMINI_WEBHOOK_SECRET)$|PASSWORD|TOKEN/
/** How Google's keys and secrets begin. */
const SECRET = /^(AIza|whsec_)/

function checkEnvironment(template: Packaged): string[] {
  return ofType(template, 'AWS::Lambda::Function').flatMap(([id, properties]) =>
    Object.entries(at(properties, 'Environment', 'Variables') ?? {})
      .filter(([name, value]) => SECRET_NAME.test(name) || SECRET.test(String(value)))
      .map(([name]) => `${id} has ${name} in its environment`),
  )
}

/** What the tests ran on is what is deployed. */
function checkRuntime(template: Packaged): string[] {
  return ofType(template, 'AWS::Lambda::Function')
    .map(([id, { Runtime, Architectures }]) => [id, [Runtime, ...toList(Architectures)].join(' on ')])
    .filter(([, runtime]) => runtime !== 'nodejs24.x on arm64')
    .map(([id, runtime]) => `${id} runs ${runtime}, and nodejs24.x on arm64 is what is packaged for`)
}
