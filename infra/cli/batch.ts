import { parseArgs } from 'node:util'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type BatchRow, createBatchRows } from '../../lib/aws/batch-rows.ts'
import { createStorage } from '../../lib/aws/storage.ts'
import { createTable } from '../../lib/aws/table.ts'
import { cancelBatch } from '../../lib/batches/cancel.ts'
import { LIVE, OVER } from '../../lib/batches/park.ts'
import { createGeminiBatches } from '../../lib/gemini/batches.ts'
import { type Command, UsageError } from './command.ts'
import { formatTable } from './table.ts'

const HELP = `darkroom batch list
darkroom batch show   ID…
darkroom batch cancel ID…

Lists the batches of the half-price lane, those under way first; shows some whole; or cancels them. What Google has answered by
then still counts and is paid for; the other jobs of a cancelled batch end as failed, with ERR_BATCH_CANCELLED.

RESULTS_BUCKET, LEDGER_TABLE and BATCHES_QUEUE_URL name the deployment's resources, as they do for its functions; cancel needs
GEMINI_API_KEY, too.`

/** `darkroom batch`. */
export const BATCH: Command = { about: 'list, show and cancel batches', help: HELP, run }

type Desk = ReturnType<typeof openDesk>
type Action = (desk: Desk, ids: string[]) => Promise<number>

const ACTIONS: Readonly<Record<string, Action>> = { list, show, cancel }

async function run(args: string[]): Promise<number> {
  const [name = '', ...ids] = readPositionals(args)
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
  if (!action) throw new UsageError(`expected ${Object.keys(ACTIONS).join(', ')}, got ${JSON.stringify(name)}`)
  if (name !== 'list' && ids.length === 0) throw new UsageError(`${name} needs the id of a batch`)
  return action(openDesk(process.env), ids)
}

function readPositionals(args: string[]): string[] {
  try {
    return parseArgs({ args, allowPositionals: true, options: {} }).positionals
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function openDesk(env: Readonly<Record<string, string | undefined>>) {
  const read = (name: string): string => {
    const value = env[name]
    if (!value) throw new UsageError(`${name} is not set`)
    return value
  }
  const table = createTable(new DynamoDBClient(), read('LEDGER_TABLE'), Date.now)
  const sqs = new SQSClient()
  const apiKey = { read: async () => read('GEMINI_API_KEY'), forget() {} }
  return {
    batches: createBatchRows(table, Date.now),
    storage: createStorage(new S3Client()),
    resultsBucket: read('RESULTS_BUCKET'),
    google: createGeminiBatches({ apiKey, baseUrl: env.GOOGLE_GEMINI_BASE_URL }),
    async queueBatch(id: string): Promise<void> {
      const MessageBody = JSON.stringify({ batch: id })
      await sqs.send(new SendMessageCommand({ QueueUrl: read('BATCHES_QUEUE_URL'), MessageBody }))
    },
  }
}

async function list(desk: Desk): Promise<number> {
  const rows: BatchRow[] = []
  for (const [prefix, end] of [
    [LIVE, '.jsonl'],
    [OVER, '.json'],
  ] as const) {
    for await (const { key } of desk.storage.scan(desk.resultsBucket, prefix)) {
      const row = await desk.batches.read(key.slice(prefix.length, -end.length))
      if (row) rows.push(row)
    }
  }
  const lines = rows.map(row => [row.id, row.step, row.end ?? '', row.model, String(row.rows), toDate(row.createdAt)])
  console.log(formatTable([['batch', 'step', 'end', 'model', 'jobs', 'made'], ...lines]))
  return 0
}

function toDate(time: number): string {
  return new Date(time).toISOString().slice(0, 19)
}

async function show({ batches }: Desk, ids: string[]): Promise<number> {
  return forEach(ids, async id => {
    const row = await batches.read(id)
    if (row) console.log(JSON.stringify(row, null, 2))
    return row !== undefined
  })
}

async function cancel(desk: Desk, ids: string[]): Promise<number> {
  return forEach(ids, async id => {
    const row = await cancelBatch(desk, id)
    const isOver = row?.step === 'ended' || row?.step === 'collected'
    if (row) console.log(isOver ? `${id} is over already: ${row.end}` : `${id} is being cancelled`)
    return row !== undefined
  })
}

async function forEach(ids: string[], act: (id: string) => Promise<boolean>): Promise<number> {
  let missing = 0
  for (const id of ids) {
    if (await act(id)) continue
    console.error(`there is no batch ${JSON.stringify(id)}`)
    missing += 1
  }
  return missing > 0 ? 1 : 0
}
