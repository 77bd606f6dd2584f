/**
 * Shows that memory does not grow with a batch: finds the heap limit at which 100 rows just pass through submit and collect,
 * and lets 10,000 rows, one batch, pass with 15 % more. `npm run bench:batch`, or with the numbers of rows behind it.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { type Darkroom, startDarkroom } from '../../infra/local/darkroom.ts'
import type { Outcome } from '../../infra/local/lambda/environment.ts'
import type { Stack } from '../../infra/local/stack.ts'
import { createLedger } from '../../lib/aws/ledger.ts'
import { createParking } from '../../lib/aws/parking.ts'
import { createTable } from '../../lib/aws/table.ts'
import { lineKey } from '../../lib/batches/park.ts'
import { buildLine } from '../../lib/gemini/batch-file.ts'
import { buildRequest } from '../../lib/gemini/request.ts'
import { hashOf, parseJob } from '../../lib/job.ts'
import { DEFAULT_MODEL } from '../../lib/models.ts'

type Verdict = 'pass' | 'out of memory'
/** What is seen of a run: its jobs that are over, its batches, and how it ended. */
type Run = { step: string; parked: number; over: number; batches: number; ended: PromiseWithResolvers<Verdict> }

const [few = 100, many = 10_000] = process.argv.slice(2).map(Number)
const SETTINGS = { batch: { rows: 50_000, replyBytes: 1e12, tokens: 1e12 } }
const FUNCTIONS = ['batch-submit', 'batch-collect']
const LOWEST_MB = 16
const HIGHEST_MB = 64
const PATIENCE_MS = 1_200_000
const PROGRESS_EVERY_MS = 10_000
const AT_ONCE = 25

let fails = LOWEST_MB
let passes = HIGHEST_MB
if ((await run(few, fails)) === 'pass') throw new Error(`${few} rows pass with ${fails} MB: begin lower`)
if ((await run(few, passes)) !== 'pass') throw new Error(`${few} rows fail with ${passes} MB: begin higher`)
while (passes - fails > 1) {
  const middle = Math.floor((passes + fails) / 2)
  if ((await run(few, middle)) === 'pass') passes = middle
  else fails = middle
}
const limitMb = Math.floor(passes * 1.15)
const verdict = await run(many, limitMb)
console.log(`${few} rows just pass with ${passes} MB; ${many} rows with ${limitMb} MB (+15 %): ${verdict}`)
process.exit(verdict === 'pass' ? 0 : 1)

/** Lets so many rows pass, or a function run out of memory; any other trouble is thrown. */
async function run(rows: number, heapMb: number): Promise<Verdict> {
  // By itself the young generation grows to 192 MB beside the old space, and would hide what is held.
  const env = { NODE_OPTIONS: `--max-old-space-size=${heapMb} --max-semi-space-size=1` }
  await using darkroom = await startDarkroom({ functions: FUNCTIONS, env })
  const run: Run = { step: 'parking', parked: 0, over: 0, batches: 0, ended: Promise.withResolvers() }
  const startedAt = Date.now()
  const seconds = () => `${Math.round((Date.now() - startedAt) / 1000)} s`
  const told = setInterval(() => {
    console.log(`  ${seconds()}: ${run.step}; ${run.parked} of ${rows} jobs parked, ${run.over} over`)
  }, PROGRESS_EVERY_MS)
  try {
    watch(darkroom.stack, run)
    const tooLong = sleep(PATIENCE_MS, undefined, { ref: false }).then(() => {
      throw new Error(`${rows} rows are not over after ${seconds()}: ${run.step}, ${run.over} over`)
    })
    const verdict = await Promise.race([drive(darkroom, run, rows), run.ended.promise, tooLong])
    const { over, batches } = run
    if (verdict === 'pass' && (over !== rows || batches !== 1))
      throw new Error(`${over} of ${rows} jobs are over, in ${batches} batches`)
    console.log(`${rows} rows with --max-old-space-size=${heapMb}: ${verdict}, ${seconds()}${readPeaks()}`)
    return verdict
  } finally {
    clearInterval(told)
  }
}

/** Brings the rows as far as the queue of the collector, who needs nobody. */
async function drive({ stack, gemini }: Darkroom, run: Run, rows: number): Promise<Verdict> {
  const Bucket = stack.env.RECIPES_BUCKET
  await stack.s3.send(new PutObjectCommand({ Bucket, Key: 'settings.json', Body: JSON.stringify(SETTINGS) }))
  gemini?.batches.orderRows({ row: 'small' })
  await park(stack, run, rows)
  run.step = 'submitting'
  const submit = async () => check(run, await stack.lambda.invoke('batch-submit', {}))
  await submit()
  await gemini?.batches.finish()
  run.step = 'collecting'
  await submit()
  return run.ended.promise
}

/** Takes what happens from the functions' own lines: that a heap is full is said by the process that has it. */
function watch({ lambda }: Stack, run: Run): void {
  const sights: Record<string, () => void> = {
    'heap out of memory': () => run.ended.resolve('out of memory'),
    '"message":"job over"': () => (run.over += 1),
    '"message":"batch submitted"': () => (run.batches += 1),
    '"message":"batch over"': () => run.ended.resolve('pass'),
  }
  lambda.events.on('line', ({ line }) => {
    for (const [words, see] of Object.entries(sights)) if (line.includes(words)) see()
  })
  lambda.events.on('end', (_, outcome) => void check(run, outcome))
}

/** Ends the run where an invocation failed for anything but memory. */
async function check(run: Run, outcome: Outcome): Promise<void> {
  if (outcome.ok) return
  await sleep(1000) // A process's last lines may come after its end.
  run.ended.reject(new Error(`a function failed: ${outcome.errorMessage}`))
}

/** The most that each function's process ever had in memory, its buffers and Node itself included; nothing but on Linux. */
function readPeaks(): string {
  if (process.platform !== 'linux') return ''
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')
  return children
    .flatMap(pid => {
      const name = /AWS_LAMBDA_FUNCTION_NAME=([^\0]+)/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[1]
      const peakKb = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      return name && peakKb ? [`; ${name} peaks at ${Math.round(Number(peakKb) / 1024)} MB in all`] : []
    })
    .join('')
}

/** Parks jobs as `edit` does, without the queue before it. */
async function park(stack: Stack, run: Run, rows: number): Promise<void> {
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
    run.parked += 1
  }
  for (let n = 0; n < rows; n += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, rows - n) }, (_, at) => parkOne(n + at)))
}
