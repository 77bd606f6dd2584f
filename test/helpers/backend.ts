import { randomUUID } from 'node:crypto'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { startStack } from '../../infra/local/stack.ts'
import { localClient } from './aws.ts'

/** Where a contract is held: clients, and the names of what they may write to. */
export type Backend = AsyncDisposable & {
  dynamodb: DynamoDBClient
  /** One of its own, for a test that spoils it. */
  createDynamodb: () => DynamoDBClient
  s3: S3Client
  sqs: SQSClient
  table: string
  bucket: string
  queueUrl: string
  deadLetterUrl: string
  /** Put before every id and key, so that runs against one account do not meet. */
  prefix: string
}

/**
 * The emulators; or real AWS, with the usual credentials, when DARKROOM_CONTRACTS=aws names in DARKROOM_CONTRACTS_TABLE, _BUCKET,
 * _QUEUE_URL and _DEAD_LETTER_URL what a deployment of its own has: a table of `infra/resources/ledger.yml`, any bucket, and a queue
 * without a reader that has the other as its dead-letter queue.
 */
export function openBackend(): Promise<Backend> {
  return process.env.DARKROOM_CONTRACTS === 'aws' ? openAws(process.env) : openEmulators()
}

async function openEmulators(): Promise<Backend> {
  const stack = await startStack({ functions: [] })
  const { dynamodb, s3, sqs, env } = stack
  return {
    dynamodb,
    createDynamodb: () => new DynamoDBClient({ ...localClient(stack.dynamodbEndpoint), maxAttempts: 3 }),
    s3,
    sqs,
    table: env.LEDGER_TABLE ?? '',
    bucket: env.RESULTS_BUCKET ?? '',
    queueUrl: env.JOBS_QUEUE_URL ?? '',
    deadLetterUrl: stack.queueUrl('darkroom-jobs-dead-letter'),
    prefix: 'contract',
    [Symbol.asyncDispose]: () => stack.close(),
  }
}

async function openAws(env: NodeJS.ProcessEnv): Promise<Backend> {
  const name = (what: string) => {
    const value = env[`DARKROOM_CONTRACTS_${what}`]
    if (!value) throw new Error(`DARKROOM_CONTRACTS=aws needs DARKROOM_CONTRACTS_${what}`)
    return value
  }
  const clients = { dynamodb: new DynamoDBClient(), s3: new S3Client(), sqs: new SQSClient() }
  return {
    ...clients,
    createDynamodb: () => new DynamoDBClient(),
    table: name('TABLE'),
    bucket: name('BUCKET'),
    queueUrl: name('QUEUE_URL'),
    deadLetterUrl: name('DEAD_LETTER_URL'),
    prefix: `contract-${randomUUID()}`,
    async [Symbol.asyncDispose]() {
      for (const client of Object.values(clients)) client.destroy()
    },
  }
}
