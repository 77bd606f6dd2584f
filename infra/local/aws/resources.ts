import { CreateTableCommand, DescribeTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { accountId, region, type TableTemplate, type Template } from '../template.ts'
import type { Fauxqs } from './fauxqs.ts'

/** What fauxqs should hold: the template's buckets, queues and topics, and a queue that hears everything of a topic. */
export type FauxqsResources = Pick<Template, 'buckets' | 'queues' | 'topics'> & {
  feeds: { queueName: string; topicName: string }[]
}

/** Makes what is missing, and gives what a state folder brought back the template's numbers of today. */
export function createFauxqsResources(fauxqs: Fauxqs, { buckets, queues, topics, feeds }: FauxqsResources): void {
  const { s3Store, sqsStore, snsStore, endpoint, notifications } = fauxqs
  const createQueue = (name: string, arn: string, attributes: Record<string, string>) => {
    const url = `${endpoint}/${accountId}/${name}`
    const existing = sqsStore.getQueueByName(name)
    if (!existing) return void sqsStore.createQueue(name, url, arn, attributes)
    Object.assign(existing, { url })
    existing.setAttributes({ RedrivePolicy: '', ...attributes })
  }

  for (const { name, arn, attributes } of queues) createQueue(name, arn, attributes)
  for (const { name, queueArns } of buckets) {
    s3Store.createBucket(name)
    notifications.set(name, queueArns)
  }
  for (const { name } of topics) snsStore.createTopic(name, undefined, undefined, region)
  for (const { queueName, topicName } of feeds) {
    const arn = `arn:aws:sqs:${region}:${accountId}:${queueName}`
    createQueue(queueName, arn, { VisibilityTimeout: '30' })
    snsStore.subscribe(`arn:aws:sns:${region}:${accountId}:${topicName}`, 'sqs', arn, { RawMessageDelivery: 'true' })
  }
}

/** Makes a table unless it is there, and resolves when it can be written to. */
export async function createTable(client: DynamoDBClient, { name, properties }: TableTemplate): Promise<void> {
  // dynalite knows neither expiry nor backups, and would refuse the fields.
  const { TimeToLiveSpecification: _, PointInTimeRecoverySpecification: __, ...known } = properties
  const input = { ...known, TableName: name } as ConstructorParameters<typeof CreateTableCommand>[0]
  await client.send(new CreateTableCommand(input)).catch((error: Error) => {
    if (error.name !== 'ResourceInUseException') throw error
  })
  for (;;) {
    const { Table } = await client.send(new DescribeTableCommand({ TableName: name }))
    const indexes = Table?.GlobalSecondaryIndexes ?? []
    if ([Table?.TableStatus, ...indexes.map(index => index.IndexStatus)].every(status => status === 'ACTIVE')) return
  }
}
