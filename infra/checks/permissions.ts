import { at, findReferences, findStatements, ofType, type Packaged, toList, type Value } from './template.ts'

/** Actions for which AWS has no resource that a permission could name. */
const WITHOUT_RESOURCE: readonly string[] = ['xray:PutTraceSegments', 'xray:PutTelemetryRecords']

/** Objects of a bucket have no other name; a whole account's worth of anything does. */
const OBJECTS = /^(\$\{\w+\.Arn\}|arn:aws:s3:::[a-z0-9.-]+)\/\*$/

/** Permissions that say more than they mean. A refusal may be as wide as it likes. */
export function checkPermissions(template: Packaged): string[] {
  return findStatements(template)
    .filter(({ effect }) => effect === 'Allow')
    .flatMap(({ id, actions, resources }) => [
      ...actions.filter(action => action.includes('*')).map(action => `${id} allows ${action}`),
      ...resources
        .filter(resource => isWide(resource) && !actions.every(action => WITHOUT_RESOURCE.includes(action)))
        .map(resource => `${id} allows ${actions.join(', ')} on ${JSON.stringify(resource)}`),
    ])
}

function isWide(resource: Value): boolean {
  const text = typeof resource === 'string' ? resource : at(resource, 'Fn::Sub')
  return typeof text === 'string' && text.includes('*') && !OBJECTS.test(text)
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

/** A schedule whose role is a function's could do all that the function may, and nothing that it must. */
export function checkScheduler(template: Packaged): string[] {
  return ofType(template, 'AWS::Scheduler::Schedule').flatMap(([id, properties]) => {
    const role = findReferences(at(properties, 'Target', 'RoleArn'))[0] ?? 'no role'
    const target = findReferences(at(properties, 'Target', 'Arn'))[0] ?? ''
    if (!trustedBy(template, role).includes('scheduler.amazonaws.com'))
      return [`${id}: the scheduler can't use ${role}`]
    const own = findStatements(template).filter(statement => statement.id === role && statement.resources.length > 0)
    const invokes = own.some(
      ({ actions, resources }) =>
        actions.includes('lambda:InvokeFunction') && resources.flatMap(findReferences).includes(target),
    )
    return invokes ? [] : [`${id}: ${role} may not invoke ${target}`]
  })
}

function trustedBy(template: Packaged, role: string): string[] {
  const document = at(template.Resources[role]?.Properties, 'AssumeRolePolicyDocument')
  return toList(at(document, 'Statement')).flatMap(it => toList(at(it, 'Principal', 'Service')).map(String))
}
