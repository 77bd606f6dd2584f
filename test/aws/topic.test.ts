import { PublishCommand, SNSClient } from '@aws-sdk/client-sns'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeEach, expect, test } from 'vitest'
import { createTopic, type Notice } from '../../lib/aws/topic.ts'
import { awsError, networkError } from '../helpers/aws.ts'
import { caught } from '../helpers/caught.ts'

const sns = new SNSClient({ region: 'us-east-1' })
const mock = mockClient(sns)
beforeEach(() => mock.reset())
const topic = createTopic(sns, 'arn:aws:sns:us-east-1:1:results')
const notice: Notice = {
  id: 'order-17',
  status: 'done',
  bucket: 'results',
  key: 'jobs/order-17/result.json',
  image: 'jobs/order-17/image-1.jpg',
  usd: 0.0374,
}

test('subscribers get the notice as JSON, and can filter by its status', async () => {
  mock.on(PublishCommand).resolves({})
  await topic.publish(notice)
  const [call] = mock.commandCalls(PublishCommand)
  const { TopicArn, Message, MessageAttributes } = call?.args[0].input ?? {}
  expect(TopicArn).toBe('arn:aws:sns:us-east-1:1:results')
  expect(JSON.parse(Message ?? '')).toEqual(notice)
  expect(MessageAttributes).toEqual({ status: { DataType: 'String', StringValue: 'done' } })
})

test.each([
  [awsError('ThrottledException', 429), 'ERR_AWS_UNAVAILABLE'],
  [networkError('ECONNRESET'), 'ERR_AWS_UNAVAILABLE'],
  [awsError('AuthorizationError', 403), 'ERR_AWS_FORBIDDEN'],
  [awsError('NotFoundException', 404), 'ERR_AWS_FORBIDDEN'],
])('what SNS throws says whose move it is: %s', async (error, code) => {
  mock.on(PublishCommand).rejects(error)
  expect(await caught(() => topic.publish(notice))).toMatchObject({ code, cause: error })
})
