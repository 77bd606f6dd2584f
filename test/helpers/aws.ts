import { S3ServiceException } from '@aws-sdk/client-s3'

/** What a client takes to talk to a server on this machine. */
export function localClient(endpoint: string) {
  return {
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  }
}

/** An error as AWS's SDK throws it for an HTTP answer. */
export function awsError(name: string, httpStatusCode: number, message = 'as AWS says'): Error {
  return new S3ServiceException({ name, message, $fault: 'client', $metadata: { httpStatusCode } })
}

/** An error as it is thrown where there was no answer. */
export function networkError(code: string): Error {
  return Object.assign(new Error(`connect ${code} 10.0.0.1:443`), { code })
}
