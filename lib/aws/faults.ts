import { EditError } from '../errors.ts'

/** What AWS's SDK throws: an HTTP status where there was an answer, a system code where there was none. */
type AwsError = Error & { code?: string; $metadata?: { httpStatusCode?: number }; $retryable?: unknown }

const THROTTLED = /throttl|slowdown|toomanyrequests|provisionedthroughput|requestlimit|bandwidth/i
/** Node's ERR_INVALID_… are arguments of ours, not the network's doing. */
const NETWORK = /^(?:E[A-Z]+|TimeoutError|RequestTimeout|NetworkingError|ERR_(?!INVALID_)[A-Z_]+)$/
/** Most services answer these with 403, but DynamoDB, SQS and SSM with 400. */
const REFUSED = /AccessDenied|UnrecognizedClient|InvalidClientTokenId|ExpiredToken|InvalidSignature|NotAuthorized/
const MISSING = /^(?:NoSuchBucket|ResourceNotFoundException|QueueDoesNotExist|NotFoundException|ParameterNotFound)$/

/** HTTP's answer to an AWS call that failed, or `undefined` where there was none. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error ? (error as AwsError).$metadata?.httpStatusCode : undefined
}

/** Wraps what AWS threw for `action` ("s3:PutObject on bucket x"); what is neither trouble nor permission is a bug and stays as it is. */
export function toAwsFault(error: unknown, action: string): unknown {
  if (!(error instanceof Error) || error instanceof EditError) return error
  const { name, code, message } = error as AwsError
  const status = statusOf(error)
  if (status === 403 || REFUSED.test(name) || MISSING.test(name)) {
    return new EditError('ERR_AWS_FORBIDDEN', `AWS refuses ${action}: ${name}: ${message}`, { cause: error })
  }
  const network = NETWORK.test(code ?? '') || NETWORK.test(name)
  if (network || status === 408 || status === 429 || (status ?? 0) >= 500 || THROTTLED.test(name)) {
    return new EditError(
      'ERR_AWS_UNAVAILABLE',
      `${action} failed: ${network ? (code ?? name) : name}${status ? ` (HTTP ${status})` : ''}`,
      {
        cause: error,
      },
    )
  }
  return error
}

/** Runs one AWS call and wraps what it throws. */
export async function callAws<T>(action: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw toAwsFault(error, action)
  }
}
