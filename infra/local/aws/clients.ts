import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SNSClient } from '@aws-sdk/client-sns'
import { SQSClient } from '@aws-sdk/client-sqs'
import { region } from '../template.ts'
import type { Storage } from './storage.ts'

export type Clients = { s3: S3Client; sqs: SQSClient; sns: SNSClient; dynamodb: DynamoDBClient; destroy(): void }

/** AWS SDK clients for the local services, with credentials that open nothing else. */
export function createClients({ endpoint, dynamodbEndpoint }: Storage): Clients {
  const shared = { region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }
  const clients = {
    s3: new S3Client({ ...shared, endpoint, forcePathStyle: true }),
    sqs: new SQSClient({ ...shared, endpoint }),
    sns: new SNSClient({ ...shared, endpoint }),
    dynamodb: new DynamoDBClient({ ...shared, endpoint: dynamodbEndpoint }),
  }
  return {
    ...clients,
    destroy() {
      for (const client of Object.values(clients)) client.destroy()
    },
  }
}
