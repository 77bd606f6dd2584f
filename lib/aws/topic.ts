import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns'
import { callAws } from './faults.ts'

/** What subscribers of the results topic get, at least once, for each job that is over. They dedupe by `id`. */
export type Notice = {
  id: string
  status: 'done' | 'refused' | 'failed'
  bucket: string
  key: string
  image?: string
  usd: number
  code?: string
}

export type Topic = ReturnType<typeof createTopic>

export function createTopic(sns: SNSClient, topicArn: string) {
  return {
    async publish(notice: Notice): Promise<void> {
      const MessageAttributes = { status: { DataType: 'String', StringValue: notice.status } }
      const command = new PublishCommand({ TopicArn: topicArn, Message: JSON.stringify(notice), MessageAttributes })
      await callAws(`sns:Publish on ${topicArn}`, () => sns.send(command))
    },
  }
}
