import { trustedBy } from './permissions.ts'
import { at, findReferences, findStatements, ofType, type Packaged } from './template.ts'

/** A schedule whose role is a function's could do all that the function may, and nothing that it must. */
export function checkScheduler(template: Packaged): string[] {
  return ofType(template, 'AWS::Scheduler::Schedule').flatMap(([id, properties]) => {
    const role = findReferences(at(properties, 'Target', 'RoleArn'))[0] ?? 'no role'
    const target = findReferences(at(properties, 'Target', 'Arn'))[0] ?? ''
    if (!trustedBy(template, role).includes('scheduler.amazonaws.com'))
      return [`${id}: the scheduler can't use ${role}`]
    return isAllowed(template, role, 'lambda:InvokeFunction', target) ? [] : [`${id}: ${role} may not invoke ${target}`]
  })
}

/**
 * Lambda tries what a schedule starts three times, the scheduler tries for a day to reach Lambda, and both then forget it, unless
 * there is a queue for it in which they may write.
 */
export function checkKeptTicks(template: Packaged): string[] {
  return ofType(template, 'AWS::Scheduler::Schedule').flatMap(([id, properties]) => {
    const functionId = findReferences(at(properties, 'Target', 'Arn'))[0] ?? ''
    const functionRole = findReferences(template.Resources[functionId]?.Properties?.Role)[0] ?? ''
    const role = findReferences(at(properties, 'Target', 'RoleArn'))[0] ?? ''
    const invoked = ofType(template, 'AWS::Lambda::EventInvokeConfig').find(
      ([, it]) => findReferences(it.FunctionName)[0] === functionId,
    )?.[1]
    const ends = [
      { who: id, role, queue: findReferences(at(properties, 'Target', 'DeadLetterConfig'))[0] },
      { who: functionId, role: functionRole, queue: findReferences(at(invoked, 'DestinationConfig', 'OnFailure'))[0] },
    ]
    return ends.flatMap(({ who, role, queue }) => {
      if (!queue) return [`${who} forgets what failed`]
      return isAllowed(template, role, 'sqs:SendMessage', queue) ? [] : [`${who}: ${role} may not write to ${queue}`]
    })
  })
}

/** Queues that take what schedules and asynchronous invocations could not bring to an end. */
export function findBurials(template: Packaged): string[] {
  const destinations = ofType(template, 'AWS::Lambda::EventInvokeConfig').map(([, it]) =>
    at(it, 'DestinationConfig', 'OnFailure'),
  )
  const schedules = ofType(template, 'AWS::Scheduler::Schedule').map(([, it]) => at(it, 'Target', 'DeadLetterConfig'))
  return [...destinations, ...schedules].flatMap(findReferences)
}

function isAllowed(template: Packaged, role: string, action: string, resourceId: string): boolean {
  return findStatements(template).some(
    ({ id, effect, actions, resources }) =>
      id === role &&
      effect === 'Allow' &&
      actions.includes(action) &&
      resources.flatMap(findReferences).includes(resourceId),
  )
}
