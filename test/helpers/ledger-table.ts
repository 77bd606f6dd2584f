import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { startDynalite } from '../../infra/local/aws/dynalite.ts'
import { localClient } from './aws.ts'

/** An empty table named `ledger`, in memory. */
export async function openLedgerTable() {
  const dynalite = await startDynalite(undefined)
  const dynamodb = new DynamoDBClient(localClient(dynalite.endpoint))
  const key = ['pk', 'sk'] as const
  await dynamodb.send(
    new CreateTableCommand({
      TableName: 'ledger',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: key.map(AttributeName => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: key.map((AttributeName, at) => ({ AttributeName, KeyType: at === 0 ? 'HASH' : 'RANGE' })),
    }),
  )
  return {
    dynamodb,
    async close() {
      dynamodb.destroy()
      await dynalite.close()
    },
  }
}
