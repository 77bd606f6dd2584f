/**
 * Shows that memory does not grow with a batch: finds the heap limit at which 100 rows just pass through submit and collect,
 * and lets 10,000 rows pass with 15 % more. `npm run bench:batch`, or with the numbers of rows behind it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { startDarkroom } from '../../infra/local/darkroom.ts'
import { createLedger } from '../../lib/aws/ledger.ts'
import { createParking } from '../../lib/aws/parking.ts'
import { createTable } from '../../lib/aws/table.ts'
import { lineKey } from '../../lib/batches/park.ts'
import { buildLine } from '../../lib/gemini/batch-file.ts'
import { buildRequest } from '../../lib/gemini/request.ts'
import { hashOf, parseJob } from '../../lib/job.ts'
import { DEFAULT_MODEL } from '../../lib/models.ts'

const [few = 100, many = 10_000] = process.argv.slice(2).map(Number)
const SETTINGS = { batch: { rows: 50_000, replyBytes: 1e12, tokens: 1e12 } }
const PATIENCE_MS = 1_800_000
const STEP_MB = 2
const AT_ONCE = 25

let lowest = 16
let highest = 256
while (highest - lowest > STEP_MB) {
  const middle = Math.ceil((lowest + highest) / 2)
  const passed = await run(few, middle)
  console.log(`${few} rows with --max-old-space-size=${middle}: ${passed ? 'pass' : 'fail'}`)
  if (passed) highest = middle
  else lowest = middle
}
const limit = Math.ceil(highest * 1.15)
const passed = await run(many, limit)
console.log(
  `${few} rows just pass with ${highest} MB; ${many} rows with ${limit} MB (+15 %): ${passed ? 'pass' : 'FAIL'}`,
)
process.exit(passed ? 0 : 1)

/** Whether so many rows pass; a function that runs out of memory ends it. */
async function run(rows: number, heapMb: number): Promise<boolean> {
  const env = { NODE_OPTIONS: `--max-old-space-size=${heapMb}` }
  await using darkroom = await startDarkroom({ functions: ['batch-submit', 'batch-collect'], env })
  const { stack, gemini } = darkroom
  const Bucket = stack.env.RECIPES_BUCKET
  await stack.s3.send(new PutObjectCommand({ Bucket, Key: 'settings.json', Body: JSON.stringify(SETTINGS) }))
  gemini?.batches.orderRows({ row: 'small' })
  let outOfMemory = false
  stack.lambda.events.on('end', (_, outcome) => {
    if (!outcome.ok) outOfMemory = true
  })
  const startedAt = Date.now()
  await park(stack, rows)
  const parkedAt = Date.now()
  if (!(await stack.lambda.invoke('batch-submit', {})).ok) return false
  const submittedAt = Date.now()
  await gemini?.batches.finish()
  if (!(await stack.lambda.invoke('batch-submit', {})).ok) return false
  while (!outOfMemory && Date.now() - startedAt < PATIENCE_MS) {
    const { KeyCount } = await list(stack, 'batches/over/')
    if (KeyCount === 1) {
      const [parking, submitting, collecting] = [parkedAt - startedAt, submittedAt - parkedAt, Date.now() - submittedAt]
      console.log(
        `  ${rows} rows: parked in ${parking} ms, submitted in ${submitting} ms, collected in ${collecting} ms`,
      )
      return true
    }
    await sleep(200)
  }
  return false
}

type Stack = Awaited<ReturnType<typeof startDarkroom>>['stack']

function list(stack: Stack, Prefix: string) {
  return stack.s3.send(new ListObjectsV2Command({ Bucket: stack.env.RESULTS_BUCKET, Prefix }))
}

/** Parks jobs as `edit` does, without the queue before it. */
async function park(stack: Stack, rows: number): Promise<void> {
  const table = createTable(stack.dynamodb, stack.env.LEDGER_TABLE ?? '', Date.now)
  const ledger = createLedger(table, Date.now)
  const parking = createParking(table, Date.now)
  const parkOne = async (n: number) => {
    const job = parseJob({ id: `bench.${n}`, operation: 'generate', prompt: 'a lake', lane: 'batch' })
    const id = job.id as string
    const facts = { hash: hashOf(job), firstSeenAt: Date.now(), leaseUntil: Date.now() + 60_000 }
    const outcome = await ledger.claim(id, facts)
    if (outcome.kind !== 'claimed') throw new Error(`${id} could not be claimed`)
    const line = lineKey(DEFAULT_MODEL, id)
    const Body = await buildLine(id, buildRequest(DEFAULT_MODEL, job, 'a lake', []))
    await stack.s3.send(new PutObjectCommand({ Bucket: stack.env.RESULTS_BUCKET, Key: line, Body }))
    const parked = { line, tokens: 2, replyBytes: 1000, job: JSON.stringify(job), inputs: [], prefix: 'jobs' }
    await parking.park(outcome.claim, parked)
  }
  for (let n = 0; n < rows; n += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, rows - n) }, (_, at) => parkOne(n + at)))
}
