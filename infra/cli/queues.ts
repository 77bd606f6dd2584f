import { ListQueuesCommand, type SQSClient } from '@aws-sdk/client-sqs'

export const QUEUES = ['uploads', 'jobs', 'batches'] as const
export type QueueName = (typeof QUEUES)[number]

/**
 * A queue's URL: the one that the environment names as it does for the functions, or the queue that CloudFormation made for the
 * stack (`darkroom-dev-JobsQueue-1A2B3C`), or the local stack's (`darkroom-jobs`).
 */
export async function findQueue(
  sqs: SQSClient,
  queue: QueueName,
  stack: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const named = env[`${queue.toUpperCase()}_QUEUE_URL`]
  if (named) return named
  const logicalName = `${queue.charAt(0).toUpperCase()}${queue.slice(1)}Queue`
  const names = [
    new RegExp(`/${stack.replace(/[^\w-]/g, '')}-${logicalName}-[A-Za-z0-9]+$`),
    new RegExp(`/darkroom-${queue}$`),
  ]
  for (const [prefix, pattern] of [
    [`${stack}-${logicalName}`, names[0]],
    [`darkroom-${queue}`, names[1]],
  ] as const) {
    const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: prefix, MaxResults: 1000 }))
    const url = QueueUrls.find(candidate => pattern?.test(candidate))
    if (url) return url
  }
  return undefined
}
