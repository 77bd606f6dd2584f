import type { Server } from 'node:http'
import { region } from '../template.ts'
import type { Fauxqs } from './fauxqs.ts'
import { readTarget } from './s3-gaps.ts'

/** One permission that a call to AWS needed: by whom, what, and on which resource's ARN (of an object, that of its bucket and `/*`). */
export type AwsCall = {
  accessKeyId: string
  action: string
  resource: string
  service: 's3' | 'sqs' | 'sns' | 'dynamodb'
}

type Request = { method?: string; url?: string; headers: Record<string, string | string[] | undefined>; body?: unknown }
type OnCall = (call: AwsCall) => void

/** Tells every call that the local S3, SQS and SNS answered. */
export function recordFauxqs(app: Fauxqs['app'], onCall: OnCall): void {
  app.addHook('onResponse', (request, reply, done) => {
    const { method, url, headers } = request.raw
    const toCalls =
      'x-amz-target' in headers ? toQueueCalls : method === 'POST' && url === '/' ? toTopicCalls : toS3Calls
    const calls = toCalls({ method, url, headers, body: request.body }, reply.statusCode)
    const accessKeyId = readAccessKeyId(headers)
    for (const call of calls) onCall({ accessKeyId, ...call })
    done()
  })
}

/** Tells every call that the local DynamoDB got. */
export function recordDynalite(server: Pick<Server, 'on'>, arnOf: (table: string) => string, onCall: OnCall): void {
  server.on('request', (request: import('node:http').IncomingMessage) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const action = String(request.headers['x-amz-target']).split('.').at(-1)
      const { TableName, IndexName } = JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, string>
      const resource = `${arnOf(TableName ?? '')}${IndexName ? `/index/${IndexName}` : ''}`
      const accessKeyId = readAccessKeyId(request.headers)
      onCall({ accessKeyId, action: `dynamodb:${action}`, resource, service: 'dynamodb' })
    })
  })
}

function readAccessKeyId(headers: Request['headers']): string {
  return /Credential=([^/]+)\//.exec(String(headers.authorization))?.[1] ?? 'nobody'
}

const OBJECT_ACTIONS: Record<string, string> = {
  GET: 's3:GetObject',
  HEAD: 's3:GetObject',
  PUT: 's3:PutObject',
  DELETE: 's3:DeleteObject',
}

function toS3Calls({ method = '', url = '', headers }: Request, status: number): Omit<AwsCall, 'accessKeyId'>[] {
  const { bucket, key } = readTarget(url) ?? { bucket: '', key: '' }
  const list = { action: 's3:ListBucket', resource: `arn:aws:s3:::${bucket}`, service: 's3' as const }
  const object = { resource: `arn:aws:s3:::${bucket}/*`, service: 's3' as const }
  if (key === '' && /\?delete\b/.test(url)) return [{ ...object, action: 's3:DeleteObject' }]
  if (key === '') return method === 'GET' ? [list] : []
  const versioned = /[?&]versionId=/.test(url)
  return [
    {
      ...object,
      action: `${OBJECT_ACTIONS[method] ?? `s3:${method}`}${versioned && method !== 'PUT' ? 'Version' : ''}`,
    },
    ...('x-amz-tagging' in headers ? [{ ...object, action: 's3:PutObjectTagging' }] : []),
    // S3 says "missing" only to those who may list.
    ...(status === 404 && method !== 'PUT' ? [list] : []),
  ]
}

/** A batch of messages needs the permission of a single one. */
const SINGLE: Record<string, string> = {
  SendMessageBatch: 'SendMessage',
  DeleteMessageBatch: 'DeleteMessage',
  ChangeMessageVisibilityBatch: 'ChangeMessageVisibility',
}

function toQueueCalls({ headers, body }: Request): Omit<AwsCall, 'accessKeyId'>[] {
  const action = String(headers['x-amz-target']).split('.').at(-1) ?? ''
  const [account, name] = String((body as { QueueUrl?: string } | undefined)?.QueueUrl)
    .split('/')
    .slice(-2)
  const resource = `arn:aws:sqs:${region}:${account}:${name}`
  return [{ action: `sqs:${SINGLE[action] ?? action}`, resource, service: 'sqs' }]
}

function toTopicCalls({ body }: Request): Omit<AwsCall, 'accessKeyId'>[] {
  const { Action, TopicArn } = (body ?? {}) as { Action?: string; TopicArn?: string }
  return Action ? [{ action: `sns:${Action}`, resource: TopicArn ?? '', service: 'sns' }] : []
}
