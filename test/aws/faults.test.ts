import { describe, expect, test } from 'vitest'
import { callAws, statusOf, toAwsFault } from '../../lib/aws/faults.ts'
import { EditError } from '../../lib/errors.ts'
import { awsError, networkError } from '../helpers/aws.ts'
import { caught } from '../helpers/caught.ts'

describe('time mends', () => {
  test.each([
    awsError('SlowDown', 503),
    awsError('ThrottlingException', 400),
    awsError('ProvisionedThroughputExceededException', 400),
    awsError('RequestLimitExceeded', 400),
    awsError('TooManyRequestsException', 429),
    awsError('InternalServerError', 500),
    awsError('ServiceUnavailable', 503),
    awsError('RequestTimeout', 400),
    networkError('ECONNRESET'),
    networkError('ECONNREFUSED'),
    networkError('ENOTFOUND'),
    networkError('EPIPE'),
    networkError('ERR_STREAM_PREMATURE_CLOSE'),
    Object.assign(new Error('timed out'), { name: 'TimeoutError' }),
  ])('%s', error => {
    const fault = toAwsFault(error, 's3:PutObject on s3://results/a')
    expect(fault).toMatchObject({ code: 'ERR_AWS_UNAVAILABLE', remedy: 'wait', cause: error })
    expect((fault as Error).message).toMatch(/^s3:PutObject on s3:\/\/results\/a failed: /)
  })
})

describe('an operator has to mend', () => {
  test.each([
    awsError('AccessDenied', 403),
    awsError('AuthorizationError', 403),
    awsError('InvalidAccessKeyId', 403),
    // DynamoDB, SQS and SSM answer these with 400.
    awsError('AccessDeniedException', 400),
    awsError('UnrecognizedClientException', 400),
    awsError('InvalidClientTokenId', 400),
    awsError('ExpiredTokenException', 400),
    awsError('KMSAccessDeniedException', 400),
    awsError('NoSuchBucket', 404),
    awsError('ResourceNotFoundException', 400),
    awsError('QueueDoesNotExist', 400),
    awsError('NotFoundException', 404),
    awsError('ParameterNotFound', 400),
  ])('%s', error => {
    expect(toAwsFault(error, 'dynamodb:UpdateItem on ledger')).toMatchObject({
      code: 'ERR_AWS_FORBIDDEN',
      remedy: 'repair',
      message: `AWS refuses dynamodb:UpdateItem on ledger: ${error.name}: as AWS says`,
      cause: error,
    })
  })
})

describe('what is neither is a bug, and stays as it was thrown', () => {
  test.each([
    awsError('ValidationException', 400),
    awsError('InvalidArgument', 400),
    new TypeError("Cannot read properties of undefined (reading 'send')"),
    Object.assign(new TypeError('Invalid character in header content'), { code: 'ERR_INVALID_CHAR' }),
    Object.assign(new TypeError('must be of type string'), { code: 'ERR_INVALID_ARG_TYPE' }),
    new EditError('ERR_INPUT_CHANGED', 'overwritten'),
    'a string',
    undefined,
  ])('%s', error => {
    expect(toAwsFault(error, 'x')).toBe(error)
  })
})

test('a call that succeeds gives what it gave; one that fails says what was tried', async () => {
  expect(await callAws('x', async () => 7)).toBe(7)
  const failing = () => callAws('sqs:SendMessage on jobs', () => Promise.reject(networkError('ECONNRESET')))
  expect(await caught(failing)).toMatchObject({ message: 'sqs:SendMessage on jobs failed: ECONNRESET' })
})

test.each([
  [awsError('SlowDown', 503), 503],
  [networkError('ECONNRESET'), undefined],
  ['a string', undefined],
])('the HTTP status of %s is %s', (error, status) => {
  expect(statusOf(error)).toBe(status)
})
