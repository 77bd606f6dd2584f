import { findBurials } from './schedules.ts'
import { at, findReferences, ofType, type Packaged, toList } from './template.ts'

function sourcesOf(template: Packaged) {
  return ofType(template, 'AWS::Lambda::EventSourceMapping').map(([id, properties]) => ({
    id,
    properties,
    queueId: findReferences(properties.EventSourceArn)[0] ?? '',
    functionId: findReferences(properties.FunctionName)[0] ?? '',
  }))
}

/** AWS asks for six times the function's time-out, so that a batch that is retried inside Lambda is not delivered twice. */
export function checkVisibility(template: Packaged): string[] {
  return sourcesOf(template).flatMap(({ queueId, functionId }) => {
    const timeout = Number(template.Resources[functionId]?.Properties?.Timeout ?? 3)
    const visibility = Number(template.Resources[queueId]?.Properties?.VisibilityTimeout ?? 30)
    if (visibility >= 6 * timeout) return []
    return [`${queueId} hides messages for ${visibility} s, ${functionId} may take ${timeout} s`]
  })
}

/** AWS asks for five at least: each function that is killed, and each throttled invocation, uses one up. */
const LEAST_RECEIVES = 5

export function checkDeadLetters(template: Packaged): string[] {
  const targets = ofType(template, 'AWS::SQS::Queue').map(([id, it]) => ({
    id,
    target: findReferences(at(it, 'RedrivePolicy', 'deadLetterTargetArn'))[0],
    receives: Number(at(it, 'RedrivePolicy', 'maxReceiveCount')),
  }))
  const ends = new Set([...targets.map(({ target }) => target), ...findBurials(template)])
  const without = targets.filter(({ id, target }) => !target && !ends.has(id))
  const shared = targets.filter(({ id, target }) => target && targets.some(it => it.id !== id && it.target === target))
  const hasty = targets.filter(({ target, receives }) => target && receives < LEAST_RECEIVES)
  const early = targets.filter(({ id, target }) => target && keptFor(template, target) < keptFor(template, id))
  return [
    ...without.map(({ id }) => `${id} has no dead-letter queue`),
    ...shared.map(({ id, target }) => `${id} shares ${target}`),
    ...hasty.map(({ id, receives }) => `${id} buries a message after ${receives} receives`),
    ...early.map(({ id, target }) => `${target} forgets a message of ${id} before it was looked at`),
  ]
}

/** A message's age counts from its first queue on, and SQS's default is four days. */
function keptFor(template: Packaged, queueId: string): number {
  return Number(template.Resources[queueId]?.Properties?.MessageRetentionPeriod ?? 345_600)
}

export function checkBatches(template: Packaged): string[] {
  return sourcesOf(template)
    .filter(({ properties }) => !toList(properties.FunctionResponseTypes).includes('ReportBatchItemFailures'))
    .map(({ id }) => `${id}: one failed message would bring its whole batch again`)
}

/** A queue without a bound takes all of the account's concurrency, and pays for it at Google. */
export function checkConcurrency(template: Packaged): string[] {
  return sourcesOf(template)
    .filter(({ properties }) => at(properties, 'ScalingConfig', 'MaximumConcurrency') === undefined)
    .map(({ id }) => `${id} bounds nothing`)
}
