import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { readItem, toAttributes, toPlainRow, writeIf } from './table.ts'

/** A row's attributes as plain values. */
export type Row = Readonly<Record<string, string | number>>

type Values = Record<string, string | number>

/** One conditional write; every value of `names` and `values` must be used in one of the expressions. */
type Change = { expression: string; condition: string; names?: Record<string, string>; values: Values }

export type Rows = ReturnType<typeof createRows>

/** Rows of the ledger's table that are no jobs: one atomic conditional write each, no transactions. */
export function createRows(dynamodb: DynamoDBClient, table: string) {
  return {
    /** The row as it is now, never an older one. */
    async read(pk: string, sk: string): Promise<Row | undefined> {
      const item = await readItem(dynamodb, table, { pk, sk })
      return item && toPlainRow(item)
    },

    /** The row after the write, or `undefined` when the condition did not hold. */
    async update(pk: string, sk: string, { expression, condition, names, values }: Change): Promise<Row | undefined> {
      const item = await writeIf(dynamodb, {
        TableName: table,
        Key: { pk: { S: pk }, sk: { S: sk } },
        UpdateExpression: expression,
        ConditionExpression: condition,
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: toAttributes(values),
      })
      return item && toPlainRow(item)
    },
  }
}
