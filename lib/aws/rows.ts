import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { callAws } from './faults.ts'

/** A row's attributes as plain values. */
export type Row = Readonly<Record<string, string | number>>

type Values = Record<string, string | number>

/** One conditional write; every value of `names` and `values` must be used in one of the expressions. */
export type Change = { expression: string; condition: string; names?: Record<string, string>; values: Values }

export type Rows = ReturnType<typeof createRows>

/** Rows of the ledger's table that are no jobs: one atomic conditional write each, no transactions. */
export function createRows(dynamodb: DynamoDBClient, table: string) {
  const keyOf = (pk: string, sk: string) => ({ pk: { S: pk }, sk: { S: sk } })

  return {
    /** The row as it is now, never an older one. */
    async read(pk: string, sk: string): Promise<Row | undefined> {
      const command = new GetItemCommand({ TableName: table, Key: keyOf(pk, sk), ConsistentRead: true })
      const { Item } = await callAws(`dynamodb:GetItem on ${table}`, () => dynamodb.send(command))
      return Item && toRow(Item)
    },

    /** The row after the write, or `undefined` when the condition did not hold. */
    async update(pk: string, sk: string, { expression, condition, names, values }: Change): Promise<Row | undefined> {
      const command = new UpdateItemCommand({
        TableName: table,
        Key: keyOf(pk, sk),
        UpdateExpression: expression,
        ConditionExpression: condition,
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: toAttributes(values),
        ReturnValues: 'ALL_NEW',
      })
      return callAws(`dynamodb:UpdateItem on ${table}`, async () => {
        try {
          return toRow((await dynamodb.send(command)).Attributes ?? {})
        } catch (error) {
          if (error instanceof ConditionalCheckFailedException) return undefined
          throw error
        }
      })
    },
  }
}

function toRow(item: Record<string, AttributeValue>): Row {
  return Object.fromEntries(
    Object.entries(item).map(([name, value]) => [name, value.N !== undefined ? Number(value.N) : (value.S ?? '')]),
  )
}

function toAttributes(values: Values): Record<string, AttributeValue> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === 'number' ? { N: `${value}` } : { S: value }]),
  )
}
