import { at, findReferences, findStatements, ofType, type Packaged, toList, type Value } from './template.ts'

/** Actions for which AWS has no resource that a permission could name. */
const WITHOUT_RESOURCE: readonly string[] = ['xray:PutTraceSegments', 'xray:PutTelemetryRecords']

/** Objects of a bucket have no other name; a whole account's worth of anything does. */
const OBJECTS = /^(\$\{\w+\.Arn\}|arn:aws:s3:::[a-z0-9.-]+)\/\*$/
/** The same where buckets' names are joined to ARNs from a list. */
const JOINED_OBJECTS = /^\/\*(,arn:aws:s3:::)?$/

/** Permissions that say more than they mean. A refusal may be as wide as it likes. */
export function checkPermissions(template: Packaged): string[] {
  const statements = findStatements(template)
    .filter(({ effect }) => effect === 'Allow')
    .flatMap(({ id, actions, resources, statement }) => [
      ...Object.keys(statement).flatMap(name => (name.startsWith('Not') ? [`${id} allows all but a ${name}`] : [])),
      ...actions.filter(action => /[*?]/.test(action)).map(action => `${id} allows ${action}`),
      ...resources
        .filter(resource => isWide(resource) && !actions.every(action => WITHOUT_RESOURCE.includes(action)))
        .map(resource => `${id} allows ${actions.join(', ')} on ${JSON.stringify(resource)}`),
    ])
  const foreign = ofType(template, 'AWS::IAM::Role').flatMap(([id, it]) =>
    toList(it.ManagedPolicyArns)
      .filter(arn => findReferences(arn).every(other => other.startsWith('AWS::')))
      .map(arn => `${id} takes all of ${JSON.stringify(arn)}`),
  )
  // Names that a deployment is given end in permissions, too.
  const given = Object.entries(template.Parameters ?? {})
    .filter(([, it]) => isWide(at(it, 'Default') ?? ''))
    .map(([id, it]) => `parameter ${id} is ${JSON.stringify(at(it, 'Default'))}`)
  return [...statements, ...foreign, ...given]
}

function isWide(resource: Value): boolean {
  if (typeof resource === 'string') return /[*?]/.test(resource) && !OBJECTS.test(resource)
  const text = toList(at(resource, 'Fn::Sub'))[0]
  if (text !== undefined) return isWide(text)
  return findTexts(resource).some(part => /[*?]/.test(part) && !OBJECTS.test(part) && !JOINED_OBJECTS.test(part))
}

function findTexts(value: Value): string[] {
  if (typeof value === 'string') return [value]
  return value === null || typeof value !== 'object' ? [] : Object.values(value).flatMap(findTexts)
}

/** Two functions of one role have the permissions of both. */
export function checkRoles(template: Packaged): string[] {
  const functions = ofType(template, 'AWS::Lambda::Function')
  const roleOf = new Map(functions.map(([id, properties]) => [id, findReferences(properties.Role)[0]]))
  return functions.flatMap(([id]) => {
    const role = roleOf.get(id)
    const sharing = functions.filter(([other]) => other !== id && roleOf.get(other) === role)
    if (role === 'IamRoleLambdaExecution' || !role) return [`${id} has no role of its own`]
    return sharing.length > 0 ? [`${id} shares ${role} with ${sharing.map(([other]) => other).join(', ')}`] : []
  })
}

export function checkTrust(template: Packaged): string[] {
  return ofType(template, 'AWS::Lambda::Function').flatMap(([id, properties]) => {
    const role = findReferences(properties.Role)[0] ?? ''
    const trusted = trustedBy(template, role)
    return trusted.length === 1 && trusted[0] === 'lambda.amazonaws.com'
      ? []
      : [`${role} of ${id} can be assumed by ${trusted.join(', ') || 'nobody'}`]
  })
}

/** A service acts for whoever asks it to: without the account, for anybody's bucket or schedule. */
export function checkServices(template: Packaged): string[] {
  return findStatements(template).flatMap(({ id, effect, statement }) => {
    const services = toList(at(statement, 'Principal', 'Service')).filter(it => it !== 'lambda.amazonaws.com')
    const isOwn = JSON.stringify(statement.Condition ?? {}).includes('"aws:SourceAccount":{"Ref":"AWS::AccountId"}')
    return effect !== 'Allow' || services.length === 0 || isOwn
      ? []
      : [`${id} lets ${services.join(', ')} act for any account`]
  })
}

/** Google calls the webhook, which knows it by its signature; anybody who could call another function would spend money. */
export function checkUrls(template: Packaged): string[] {
  const open = [
    ...ofType(template, 'AWS::Lambda::Url').filter(([, it]) => it.AuthType !== 'AWS_IAM'),
    ...ofType(template, 'AWS::Lambda::Permission').filter(([, it]) => it.Principal === '*'),
  ]
  return open.flatMap(([id, it]) => {
    const target = findReferences(it.TargetFunctionArn ?? it.FunctionName)[0]
    return target === 'WebhookLambdaFunction' ? [] : [`${id} lets anybody call ${target}`]
  })
}

/** Everybody whom a role trusts, services and others. */
export function trustedBy(template: Packaged, role: string): string[] {
  const document = at(template.Resources[role]?.Properties, 'AssumeRolePolicyDocument')
  return toList(at(document, 'Statement')).flatMap(it =>
    Object.values((at(it, 'Principal') ?? {}) as Record<string, Value>)
      .flatMap(toList)
      .map(who => (typeof who === 'string' ? who : JSON.stringify(who))),
  )
}
