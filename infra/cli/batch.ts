import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type BatchRow, createBatchRows } from '../../lib/aws/batch-rows.ts'
import { createStorage } from '../../lib/aws/storage.ts'
import { createTable } from '../../lib/aws/table.ts'
import { cancelBatch } from '../../lib/batches/cancel.ts'
import { LIVE, OVER } from '../../lib/batches/park.ts'
import { readStack } from '../deploy/stack.ts'
import { findRegion } from '../deploy/target.ts'
import { type Command, readArguments, readVariables, UsageError } from './command.ts'
import { formatTable } from './table.ts'

const NAMES = ['RESULTS_BUCKET', 'LEDGER_TABLE', 'BATCHES_QUEUE_URL'] as const

const HELP = `darkroom batch list           [--stage NAME]
darkroom batch show   ID…     [--stage NAME]
darkroom batch cancel ID…     [--stage NAME]

Lists the batches of the half-price lane, those under way first; shows some whole; or cancels them, within minutes. What Google
has answered by then still counts and is paid for; the other jobs of a cancelled batch end as failed, with ERR_BATCH_CANCELLED.

--stage   the deployed stage whose batches are meant, in the region of the AWS command line

Without a stage ${NAMES.join(', ')} name the resources, as they do for the functions.`

/** `darkroom batch`. */
export const BATCH: Command = { about: 'list, show and cancel batches', help: HELP, run }

type Desk = Awaited<ReturnType<typeof openDesk>>
type Action = (desk: Desk, ids: string[]) => Promise<number>

const ACTIONS: Readonly<Record<string, Action>> = { list, show, cancel }

async function run(args: string[]): Promise<number> {
  const options = { stage: { type: 'string' } } as const
  const { values, positionals } = readArguments({ args, allowPositionals: true, options })
  const [name = '', ...ids] = positionals
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
  if (!action) throw new UsageError(`expected ${Object.keys(ACTIONS).join(', ')}, got ${JSON.stringify(name)}`)
  if (action === list && ids.length > 0) throw new UsageError('list takes no ids')
  if (action !== list && ids.length === 0) throw new UsageError(`${name} needs the id of a batch`)
  return action(await openDesk(values.stage), ids)
}

async function openDesk(stage: string | undefined) {
  const { RESULTS_BUCKET, LEDGER_TABLE, BATCHES_QUEUE_URL } = await findResources(stage)
  const sqs = new SQSClient()
  return {
    batches: createBatchRows(createTable(new DynamoDBClient(), LEDGER_TABLE, Date.now), Date.now),
    storage: createStorage(new S3Client()),
    resultsBucket: RESULTS_BUCKET,
    async queueBatch(id: string): Promise<void> {
      const MessageBody = JSON.stringify({ batch: id })
      await sqs.send(new SendMessageCommand({ QueueUrl: BATCHES_QUEUE_URL, MessageBody }))
    },
  }
}

async function findResources(stage: string | undefined): Promise<Record<(typeof NAMES)[number], string>> {
  if (stage === undefined) return readVariables(NAMES)
  const { ResultsBucket, LedgerTable, BatchesQueue } = await readStack({ stage, region: await findRegion() })
  return { RESULTS_BUCKET: ResultsBucket, LEDGER_TABLE: LedgerTable, BATCHES_QUEUE_URL: BatchesQueue }
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
  if (rows.length === 0) {
    console.log('There are no batches.')
    return 0
  }
  const lines = rows.map(row => [row.id, row.step, toEnd(row), row.model, String(row.rows), toDate(row.createdAt)])
  console.log(formatTable([['batch', 'step', 'end', 'model', 'jobs', 'made'], ...lines]))
  return 0
}

function toEnd({ end, cancelledBy }: BatchRow): string {
  return end ?? (cancelledBy ? 'to be cancelled' : '')
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
    if (row) console.log(isOver ? `${id} is over already: ${row.end}` : `${id} will be cancelled`)
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
