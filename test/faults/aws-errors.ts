import type { AwsCall } from './aws-call.ts'

export type Answer = { status: number; headers: Record<string, string>; body: string }

type Kind = 'internal' | 'slow-down'

/** How each service says that it failed, and that it is asked too often. */
const ERRORS: Record<AwsCall['service'], Record<Kind, Answer>> = {
  s3: { internal: s3(500, 'InternalError'), 'slow-down': s3(503, 'SlowDown') },
  dynamodb: {
    internal: json(500, 'com.amazonaws.dynamodb.v20120810#InternalServerError'),
    'slow-down': json(400, 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException'),
  },
  sqs: {
    internal: json(500, 'com.amazonaws.sqs#InternalFailure'),
    'slow-down': json(403, 'com.amazonaws.sqs#RequestThrottled'),
  },
  sns: { internal: query(500, 'InternalError'), 'slow-down': query(429, 'Throttled') },
}

/** The answer of a service in trouble. */
export function toAwsError(service: AwsCall['service'], kind: Kind): Answer {
  return ERRORS[service][kind]
}

function s3(status: number, code: string): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>Please try again.</Message></Error>`
  return { status, headers: { 'content-type': 'application/xml' }, body }
}

function query(status: number, code: string): Answer {
  const body = `<ErrorResponse><Error><Type>Receiver</Type><Code>${code}</Code><Message>Please try again.</Message></Error></ErrorResponse>`
  return { status, headers: { 'content-type': 'text/xml' }, body }
}

function json(status: number, type: string): Answer {
  const body = JSON.stringify({ __type: type, message: 'Please try again.' })
  return { status, headers: { 'content-type': 'application/x-amz-json-1.0' }, body }
}
