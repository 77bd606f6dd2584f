import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { callAws } from './faults.ts'
import { type Item, toAttributes } from './ledger.ts'

export type Key = { pk: string; sk: string }
export type Change = {
  set: string
  /** @default none */
  condition?: string
  values: Record<string, unknown>
}

export type Table = ReturnType<typeof createTable>

/** The ledger's table as rows of any kind: one conditional write, one consistent read. `status` and `owner` are spelt `#status`, `#owner`. */
export function createTable(dynamodb: DynamoDBClient, name: string, now: () => number) {
  return {
    /** The row after the write; `undefined` when the condition does not hold. Every write leaves kind, time and expiry. */
    async update(
      { pk, sk }: Key,
      kind: string,
      keptMs: number,
      { set, condition, values }: Change,
    ): Promise<Item | undefined> {
      const used = [set, condition].join(' ')
      const names = ['status', 'owner', 'hash', 'name', 'state'].filter(word => used.includes(`#${word}`))
      const command = new UpdateItemCommand({
        TableName: name,
        Key: { pk: { S: pk }, sk: { S: sk } },
        UpdateExpression: `SET #kind = :kind, updatedAt = :updatedAt, expiresAt = :expiresAt, ${set}`,
        ConditionExpression: condition,
        ExpressionAttributeNames: { '#kind': 'kind', ...Object.fromEntries(names.map(word => [`#${word}`, word])) },
        ExpressionAttributeValues: toAttributes({
          ...values,
          ':kind': kind,
          ':updatedAt': new Date(now()).toISOString(),
          ':expiresAt': Math.floor((now() + keptMs) / 1000),
        }),
        ReturnValues: 'ALL_NEW',
      })
      return callAws(`dynamodb:UpdateItem on ${name}`, async () => {
        try {
          return (await dynamodb.send(command)).Attributes
        } catch (error) {
          if (error instanceof ConditionalCheckFailedException) return undefined
          throw error
        }
      })
    },

    async read({ pk, sk }: Key): Promise<Item | undefined> {
      const command = new GetItemCommand({
        TableName: name,
        Key: { pk: { S: pk }, sk: { S: sk } },
        ConsistentRead: true,
      })
      return (await callAws(`dynamodb:GetItem on ${name}`, () => dynamodb.send(command))).Item
    },
  }
}
