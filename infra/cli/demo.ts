/** Edits real photographs through the whole pipeline on this machine, and shows what came of it. */
import { rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { estimateCost } from '../../lib/cost.ts'
import { DEFAULT_MODEL, MODELS } from '../../lib/models.ts'
import type { Result } from '../../lib/result.ts'
import { type Darkroom, startDarkroom } from '../local/darkroom.ts'
import { followResults, readResult, saveResult } from '../local/results.ts'
import { readArguments } from './command.ts'
import { DEMO_JOBS, type DemoJob, QUEUED_JOB } from './demo-jobs.ts'
import { type Progress, startProgress } from './progress.ts'
import { run } from './run.ts'
import { formatTable } from './table.ts'
import { createTeller } from './waits.ts'

const HELP = `npm run demo

Starts the whole of Darkroom on this machine, edits ${DEMO_JOBS.length} historic photographs by upload and one by queue message, and
puts the pictures with their result.json into darkroom-out/. Needs no account, no key and no Docker: a stand-in draws.

GEMINI_API_KEY=…   use Google's Gemini instead, at Google's prices (the demo says what it will cost first)`

const FOLDER = 'darkroom-out'
const PATIENCE_MS = 300_000
const ALL_JOBS: readonly DemoJob[] = [...DEMO_JOBS, QUEUED_JOB]

type Row = { job: DemoJob; result: Result; image: string }

await run(HELP, () => {
  readArguments({ options: {} })
  return main(process.env.GEMINI_API_KEY)
})

/** 0: all pictures are there. 1: some job did not end `done`. 2: not all jobs ended in time. 130: interrupted. */
async function main(apiKey: string | undefined): Promise<number> {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort('interrupt'))
  process.once('SIGTERM', () => stop.abort('interrupt'))
  await announce(apiKey, stop.signal)
  if (stop.signal.aborted) return 130
  // Only what an earlier demo left: the folder holds other prints too.
  for (const { folder } of ALL_JOBS) await rm(join(FOLDER, folder), { recursive: true, force: true })
  let lastWait: string | undefined
  const tell = createTeller(sentence => {
    lastWait = sentence
    if (!process.stdout.isTTY) console.log(sentence)
  })
  await using darkroom = await startDarkroom({ apiKey, log: ({ line }) => tell(line) })
  const timer = setTimeout(() => stop.abort('time'), PATIENCE_MS)
  const progress = startProgress(
    process.stdout,
    ALL_JOBS.map(({ name }) => name),
  )
  const rows = await runJobs(darkroom, progress, stop.signal).finally(() => {
    clearTimeout(timer)
    progress.close()
  })
  if (rows.length > 0) console.log(`\n${describe(rows)}\n`)
  if (rows.length < ALL_JOBS.length && lastWait) console.error(lastWait)
  return conclude(rows, stop.signal)
}

async function announce(apiKey: string | undefined, signal: AbortSignal): Promise<void> {
  if (!apiKey) {
    console.log('Darkroom on this machine, with a stand-in for Gemini: it draws honest fakes and costs nothing.\n')
    return
  }
  const model = MODELS[DEFAULT_MODEL]
  const usd = model ? ALL_JOBS.length * estimateCost(model, { inputs: 2, promptBytes: 600, lane: 'now' }) : 0
  console.log(
    `Darkroom on this machine, with Google's ${DEFAULT_MODEL}: ${ALL_JOBS.length} edits, about $${usd.toFixed(2)} on your key.`,
  )
  console.log('Starting in 5 seconds; Ctrl-C costs nothing until then.\n')
  await sleep(5000, undefined, { signal }).catch(() => undefined)
}

async function runJobs(darkroom: Darkroom, progress: Progress, signal: AbortSignal): Promise<Row[]> {
  const { stack } = darkroom
  stack.lambda.events.on('start', ({ event }) => {
    for (const job of ALL_JOBS) if (JSON.stringify(event).includes(job.marker)) progress.set(job.name, 'editing')
  })
  for (const { key, file } of DEMO_JOBS) await darkroom.upload(key, file)
  await darkroom.put(stack.env.RECIPES_BUCKET ?? '', QUEUED_JOB.key, QUEUED_JOB.file)
  await darkroom.send(QUEUED_JOB.toJob(stack.env.RECIPES_BUCKET ?? ''))

  const rows: Row[] = []
  for await (const notice of followResults(stack, signal)) {
    const job = ALL_JOBS.find(({ folder }) => notice.key.startsWith(`${folder}/`))
    if (!job) continue
    const result = await readResult(stack, notice)
    const paths = await saveResult(stack, notice, FOLDER)
    progress.set(job.name, result.error ? `${result.status}: ${result.error.code}` : 'done')
    rows.push({ job, result, image: paths.find(path => /image-1\.\w+$/.test(path)) ?? paths.at(-1) ?? '' })
    if (rows.length === ALL_JOBS.length) break
  }
  return rows
}

function describe(rows: readonly Row[]): string {
  const head = ['job', 'operation', 'model', 'seconds', 'image', 'file']
  const lines = rows.map(({ job, result, image }) => {
    const [first] = result.images
    const seconds = (Date.parse(result.timing.endedAt) - Date.parse(result.timing.firstSeenAt)) / 1000
    const size = first ? `${first.width}×${first.height}` : result.status
    return [job.name, job.operation, result.model?.used ?? '–', seconds.toFixed(1), size, relative('.', join(image))]
  })
  return formatTable([head, ...lines])
}

function conclude(rows: readonly Row[], signal: AbortSignal): number {
  const bad = rows.filter(({ result }) => result.status !== 'done')
  for (const { job, result } of bad)
    console.error(`${job.name} ended ${result.status}: ${result.error?.code}: ${result.error?.message}`)
  if (signal.aborted && signal.reason === 'interrupt') {
    console.error('Stopped.')
    return 130
  }
  if (rows.length < ALL_JOBS.length) {
    console.error(
      `${ALL_JOBS.length - rows.length} of ${ALL_JOBS.length} jobs did not end within ${PATIENCE_MS / 1000} s`,
    )
    return 2
  }
  if (bad.length > 0) return 1
  const usd = rows.reduce((sum, { result }) => sum + result.cost.usd, 0)
  console.log(`${rows.length} prints in ${FOLDER}/, each with its result.json. At Google's prices: $${usd.toFixed(4)}.`)
  return 0
}
