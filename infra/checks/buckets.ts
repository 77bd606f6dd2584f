import { at, findReferences, findStatements, ofType, type Packaged, type Properties, toList } from './template.ts'

const BLOCKS = ['BlockPublicAcls', 'BlockPublicPolicy', 'IgnorePublicAcls', 'RestrictPublicBuckets']

export function checkPublic(template: Packaged): string[] {
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

/** One bucket for two purposes would let a result start a job, or an uploader change a recipe. */
export function checkBuckets(template: Packaged): string[] {
  const names = ['UPLOADS_BUCKET', 'RESULTS_BUCKET', 'RECIPES_BUCKET']
  return ofType(template, 'AWS::Lambda::Function').flatMap(([id, properties]) => {
    const buckets = names.map(name => JSON.stringify(at(properties, 'Environment', 'Variables', name)))
    const same = names.filter((_, index) => buckets.slice(0, index).some(other => other === buckets[index]))
    return same.map(name => `${id}: ${name} is another's bucket too`)
  })
}

/** A bucket of results whose objects are told of would make each result the next job, for ever. */
export function checkNotices(template: Packaged): string[] {
  const uploads = new Set(
    ofType(template, 'AWS::Lambda::Function').flatMap(([, it]) =>
      findReferences(at(it, 'Environment', 'Variables', 'UPLOADS_BUCKET')),
    ),
  )
  return ofType(template, 'AWS::S3::Bucket')
    .filter(([id, it]) => it.NotificationConfiguration !== undefined && !uploads.has(id))
    .map(([id]) => `what is put into ${id} starts jobs`)
}

/** Buckets of pictures and recipes; the deployment's own holds what can be packaged again. */
function dataBuckets(template: Packaged): [string, Properties][] {
  return ofType(template, 'AWS::S3::Bucket').filter(([id]) => id !== 'ServerlessDeploymentBucket')
}

export function checkKept(template: Packaged): string[] {
  return [...dataBuckets(template), ...ofType(template, 'AWS::DynamoDB::Table')]
    .filter(([id]) => {
      const { DeletionPolicy, UpdateReplacePolicy } = template.Resources[id] ?? {}
      return DeletionPolicy !== 'Retain' || UpdateReplacePolicy !== 'Retain'
    })
    .map(([id]) => `${id} is deleted with the stack, or when an upgrade replaces it`)
}

/** Results can be made again from what they were made of; nothing else can. */
export function checkRestore(template: Packaged): string[] {
  const buckets = ofType(template, 'AWS::Lambda::Function').flatMap(([, it]) =>
    ['UPLOADS_BUCKET', 'RECIPES_BUCKET'].flatMap(name => findReferences(at(it, 'Environment', 'Variables', name))),
  )
  const tables = ofType(template, 'AWS::DynamoDB::Table')
  return [
    ...[...new Set(buckets)]
      .filter(id => at(template.Resources[id]?.Properties, 'VersioningConfiguration', 'Status') !== 'Enabled')
      .map(id => `${id} keeps no versions`),
    ...tables
      .filter(([, it]) => at(it, 'PointInTimeRecoverySpecification', 'PointInTimeRecoveryEnabled') !== true)
      .map(([id]) => `${id} has no point-in-time recovery`),
    ...tables
      .filter(([, it]) => at(it, 'TimeToLiveSpecification', 'Enabled') !== true)
      .map(([id]) => `${id} forgets nothing`),
  ]
}

/** Parts of uploads that were broken off are paid for, and no listing shows them; so are old versions. */
export function checkLifeCycles(template: Packaged): string[] {
  return dataBuckets(template).flatMap(([id, it]) => {
    const rules = toList(at(it, 'LifecycleConfiguration', 'Rules')).filter(rule => at(rule, 'Status') === 'Enabled')
    const isVersioned = at(it, 'VersioningConfiguration', 'Status') === 'Enabled'
    const ends = (what: string) => rules.some(rule => at(rule, what) !== undefined)
    return [
      ...(ends('AbortIncompleteMultipartUpload') ? [] : [`${id} keeps unfinished uploads for ever`]),
      ...(!isVersioned || ends('NoncurrentVersionExpiration') ? [] : [`${id} keeps replaced versions for ever`]),
    ]
  })
}
