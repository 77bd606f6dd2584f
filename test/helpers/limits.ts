import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { Limits } from '../../lib/admission.ts'
import { createBudgets } from '../../lib/aws/budgets.ts'
import { createGates } from '../../lib/aws/gates.ts'
import { createPace } from '../../lib/aws/pace.ts'
import { createRows } from '../../lib/aws/rows.ts'

/** Gates, pace and budgets of a table named `ledger`, as a function of its own would have them. */
export function openLimits(dynamodb: DynamoDBClient, now: () => number): Limits {
  const rows = createRows(dynamodb, 'ledger')
  return { gates: createGates(rows, now), pace: createPace(rows, now), budgets: createBudgets(rows, now) }
}
