import type { IncomingMessage } from 'node:http'

/** One call of a function to AWS, by what it does. */
export type AwsCall = {
  service: 's3' | 'sqs' | 'sns' | 'dynamodb'
  /** AWS's own name: `PutObject`, `SendMessage`, `UpdateItem`, … */
  action: string
  /** What it is done to: `bucket/key`, a queue's or a topic's name, a row's key. */
  target: string
  /** Of a write to the ledger: which of its arrows. */
  ledger?: LedgerWrite
  body: string
}

/** The ledger's writes, each told by a field that only it sets. */
const LEDGER_WRITES = {
  claim: 'leaseUntil = :lease',
  attempt: 'inputs = :inputs',
  wait: 'waitUntil = :until',
  close: 'resultUri = :uri',
} as const
export type LedgerWrite = keyof typeof LEDGER_WRITES

const OBJECT_ACTIONS: Record<string, string> = {
  GET: 'GetObject',
  HEAD: 'HeadObject',
  PUT: 'PutObject',
  DELETE: 'DeleteObject',
  POST: 'PostObject',
}

/** The call in a request as an SDK sends it. */
export function readAwsCall({ method = 'GET', url = '/', headers }: IncomingMessage, body: string): AwsCall {
  const [service, action] = String(headers['x-amz-target'] ?? '').split('.')
  if (service?.startsWith('DynamoDB')) return readDynamodbCall(action ?? '', body)
  if (service === 'AmazonSQS') {
    const { QueueUrl = '' } = JSON.parse(body) as { QueueUrl?: string }
    return { service: 'sqs', action: action ?? '', target: QueueUrl.split('/').at(-1) ?? '', body }
  }
  if (headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
    const form = new URLSearchParams(body)
    return { service: 'sns', action: form.get('Action') ?? '', target: form.get('TopicArn') ?? '', body }
  }
  const target = decodeURIComponent(url.slice(1).split('?')[0] ?? '')
  const action3 = target.includes('/') ? OBJECT_ACTIONS[method] : 'ListObjects'
  return { service: 's3', action: action3 ?? method, target, body: '' }
}

function readDynamodbCall(action: string, body: string): AwsCall {
  const { Key, UpdateExpression = '' } = JSON.parse(body) as {
    Key?: Record<string, { S?: string }>
    UpdateExpression?: string
  }
  const writes = Object.keys(LEDGER_WRITES) as LedgerWrite[]
  const ledger = writes.find(name => UpdateExpression.includes(LEDGER_WRITES[name]))
  return { service: 'dynamodb', action, target: Key?.pk?.S ?? '', ledger, body }
}
