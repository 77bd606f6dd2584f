import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { checkPermissions, checkRoles, checkScheduler, checkTrust } from './permissions.ts'
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
  'scheduler-has-own-role': checkScheduler,
  'no-public-bucket': checkPublic,
  'tls-only': checkTls,
  encrypted: checkEncryption,
  'buckets-distinct': checkBuckets,
  'visibility-six-times-timeout': checkVisibility,
  'dead-letter-queue-each': checkDeadLetters,
  'partial-batches': checkBatches,
  'no-secret-in-environment': checkEnvironment,
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

const BLOCKS = ['BlockPublicAcls', 'BlockPublicPolicy', 'IgnorePublicAcls', 'RestrictPublicBuckets']

function checkPublic(template: Packaged): string[] {
  const open = ofType(template, 'AWS::S3::Bucket').flatMap(([id, properties]) =>
    BLOCKS.filter(block => at(properties, 'PublicAccessBlockConfiguration', block) !== true).map(
      block => `${id} does not ${block}`,
    ),
  )
  const anybody = findStatements(template)
    .filter(({ effect, statement }) => effect === 'Allow' && JSON.stringify(statement.Principal)?.includes('"*"'))
    .map(({ id }) => `${id} lets anybody in`)
  return [...open, ...anybody]
}

/** What a policy of a resource's own must refuse, by type. */
const CONVERSED = ['AWS::S3::Bucket', 'AWS::SQS::Queue', 'AWS::SNS::Topic']

function checkTls(template: Packaged): string[] {
  const refusals = findStatements(template).filter(
    ({ effect, statement }) =>
      effect === 'Deny' && String(at(statement, 'Condition', 'Bool', 'aws:SecureTransport')) === 'false',
  )
  const covered = new Set(refusals.flatMap(({ resources }) => resources.flatMap(findReferences)))
  return CONVERSED.flatMap(type => ofType(template, type))
    .filter(([id]) => !covered.has(id))
    .map(([id]) => `${id} can be spoken to without TLS`)
}

function checkEncryption(template: Packaged): string[] {
  const buckets = ofType(template, 'AWS::S3::Bucket').filter(([, it]) => !at(it, 'BucketEncryption'))
  const queues = ofType(template, 'AWS::SQS::Queue').filter(
    ([, it]) => it.SqsManagedSseEnabled !== true && !it.KmsMasterKeyId,
  )
  return [...buckets, ...queues].map(([id]) => `${id} is not encrypted`)
}

/** One bucket for two purposes would let a result start a job, or an uploader change a recipe. */
function checkBuckets(template: Packaged): string[] {
  const names = ['UPLOADS_BUCKET', 'RESULTS_BUCKET', 'RECIPES_BUCKET']
  return ofType(template, 'AWS::Lambda::Function').flatMap(([id, properties]) => {
    const buckets = names.map(name => JSON.stringify(at(properties, 'Environment', 'Variables', name)))
    const same = names.filter((_, index) => buckets.slice(0, index).some(other => other === buckets[index]))
    return same.map(name => `${id}: ${name} is another's bucket too`)
  })
}

function sourcesOf(template: Packaged) {
  return ofType(template, 'AWS::Lambda::EventSourceMapping').map(([id, properties]) => ({
    id,
    properties,
    queueId: findReferences(properties.EventSourceArn)[0] ?? '',
    functionId: findReferences(properties.FunctionName)[0] ?? '',
  }))
}

/** AWS asks for six times the function's time-out, so that a batch that is retried inside Lambda is not delivered twice. */
function checkVisibility(template: Packaged): string[] {
  return sourcesOf(template).flatMap(({ queueId, functionId }) => {
    const timeout = Number(template.Resources[functionId]?.Properties?.Timeout ?? 3)
    const visibility = Number(template.Resources[queueId]?.Properties?.VisibilityTimeout ?? 30)
    if (visibility >= 6 * timeout) return []
    return [`${queueId} hides messages for ${visibility} s, ${functionId} may take ${timeout} s`]
  })
}

function checkDeadLetters(template: Packaged): string[] {
  const targets = ofType(template, 'AWS::SQS::Queue').map(([id, it]) => ({
    id,
    target: findReferences(at(it, 'RedrivePolicy', 'deadLetterTargetArn'))[0],
  }))
  const ends = new Set(targets.map(({ target }) => target))
  const without = targets.filter(({ id, target }) => !target && !ends.has(id))
  const shared = targets.filter(({ id, target }) => target && targets.some(it => it.id !== id && it.target === target))
  return [
    ...without.map(({ id }) => `${id} has no dead-letter queue`),
    ...shared.map(({ id, target }) => `${id} shares ${target}`),
  ]
}

function checkBatches(template: Packaged): string[] {
  return sourcesOf(template)
    .filter(({ properties }) => !toList(properties.FunctionResponseTypes).includes('ReportBatchItemFailures'))
    .map(({ id }) => `${id}: one failed message would bring its whole batch again`)
}

const SECRET = /^(GEMINI_API_KEY|GEMINI_WEBHOOK_SECRET)$|PASSWORD|TOKEN/

function checkEnvironment(template: Packaged): string[] {
  return ofType(template, 'AWS::Lambda::Function').flatMap(([id, properties]) =>
    Object.keys(at(properties, 'Environment', 'Variables') ?? {})
      .filter(name => SECRET.test(name))
      .map(name => `${id} has ${name} in its environment`),
  )
}
