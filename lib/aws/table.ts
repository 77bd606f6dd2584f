import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb'
import { callAws } from './faults.ts'

/** A row's attributes as they travel. */
export type Item = Record<string, AttributeValue>

type Key = { pk: string; sk: string }
export type Change = {
  set: string
  /** @default none */
  condition?: string
  values: Record<string, unknown>
}

export type Table = ReturnType<typeof createTable>

/** The ledger's table as rows of any kind: one conditional write, one consistent read. `status`, `owner` and `hash` are spelt `#status`, `#owner`, `#hash`. */
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
      const names = ['status', 'owner', 'hash'].filter(word => used.includes(`#${word}`))
      return writeIf(dynamodb, {
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
      })
    },

    /** The row as it is now, never an older one. */
    read: (key: Key) => readItem(dynamodb, name, key),
  }
}

/** The row after one write; `undefined` when its condition does not hold. */
export async function writeIf(dynamodb: DynamoDBClient, input: UpdateItemCommandInput): Promise<Item | undefined> {
  const command = new UpdateItemCommand({ ...input, ReturnValues: 'ALL_NEW' })
  return callAws(`dynamodb:UpdateItem on ${input.TableName}`, async () => {
    try {
      return (await dynamodb.send(command)).Attributes ?? {}
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return undefined
      throw error
    }
  })
}

/** The row as it is now, never an older one. */
export async function readItem(
  dynamodb: DynamoDBClient,
  TableName: string,
  { pk, sk }: Key,
): Promise<Item | undefined> {
  const command = new GetItemCommand({ TableName, Key: { pk: { S: pk }, sk: { S: sk } }, ConsistentRead: true })
  return (await callAws(`dynamodb:GetItem on ${TableName}`, () => dynamodb.send(command))).Item
}

/** Numbers as numbers, and everything else as text. */
export function toAttributes(values: Record<string, unknown>): Item {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' ? { N: String(value) } : { S: String(value) },
    ]),
  )
}

/** A row's attributes as plain values. */
export function toPlainRow(item: Item): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(item).map(([name, value]) => [name, value.N !== undefined ? Number(value.N) : (value.S ?? '')]),
  )
}
