import { randomBytes } from 'node:crypto'
import { answerRows, type RowOrder, type StandingRow } from './batch-rows.ts'
import type { Desk } from './generate.ts'
import { GoogleError } from './google-error.ts'
import { findServed } from './serving.ts'
import type { WebhookEvent } from './webhooks.ts'

/** How a batch may end; a `STUCK` one never does. */
export type BatchEnd = 'SUCCEEDED' | 'PARTIALLY_SUCCEEDED' | 'FAILED' | 'EXPIRED' | 'STUCK'
type State = Exclude<BatchEnd, 'STUCK'> | 'PENDING' | 'RUNNING' | 'CANCELLED'

/** What becomes of the next batch. */
export type BatchOrder = {
  /** @default SUCCEEDED */
  end?: BatchEnd
  /** From its creation to its end, by the stand-in's clock. @default 60_000 */
  runMs?: number
  /** The answer to its creation is lost with the connection, or never comes; `refuse` creates nothing. */
  create?: 'cut' | 'hang' | 'refuse' | 'busy'
}

export type StandInBatch = {
  id: string
  displayName: string
  model: string
  inputFile: string
  createdAt: number
  endsAt: number
  end: BatchEnd
  state: State
  rows: number
  outputFile?: string
  answer?: 'cut' | 'hang'
}

export type Batches = ReturnType<typeof createBatches>

const LIVE_LIMIT = 100
const RUN_MS = 60_000
const PENDING_SHARE = 0.2
const EVENTS: Partial<Record<State, WebhookEvent>> = {
  SUCCEEDED: 'batch.succeeded',
  PARTIALLY_SUCCEEDED: 'batch.succeeded',
  FAILED: 'batch.failed',
  EXPIRED: 'batch.expired',
}
const ERRORS: Partial<Record<State, string>> = {
  FAILED: 'Batch processing failed. Please check the input file format.',
  EXPIRED: 'The batch was not completed within 48 hours.',
}

/** Batches on the stand-in's clock: pending, running, over. Each row is answered as a call of its own would be. */
export function createBatches(
  desk: Desk,
  now: () => number,
  tell: (type: WebhookEvent, data: Record<string, unknown>) => Promise<void>,
) {
  const batches = new Map<string, StandInBatch>()
  const orders: BatchOrder[] = []
  const rowOrders: StandingRow[] = []
  const ending = new Map<string, Promise<void>>()

  const find = (id: string): StandInBatch => {
    const batch = batches.get(id)
    if (batch) return batch
    throw new GoogleError(404, 'Requested entity was not found.')
  }
  const isLive = ({ state }: StandInBatch) => state === 'PENDING' || state === 'RUNNING'

  async function end(batch: StandInBatch): Promise<void> {
    if (batch.end === 'STUCK') return
    if (batch.end === 'SUCCEEDED' || batch.end === 'PARTIALLY_SUCCEEDED') {
      const share = batch.end === 'SUCCEEDED' ? 1 : 0.5
      const input = desk.files.bytes(batch.inputFile.replace('files/', ''))
      const bytes = await answerRows(desk, batch.model, input, rowOrders, share)
      if (!isLive(batch)) return
      batch.outputFile = `files/${desk.files.put(bytes, 'application/jsonl')}`
    }
    batch.state = batch.end
    const type = EVENTS[batch.state]
    // Not waited for: the receiver may ask for the batch before it answers.
    if (type) void tell(type, { id: `batches/${batch.id}`, output_file_uri: batch.outputFile })
  }

  /** Brings a batch to where the clock says it is. */
  async function progress(batch: StandInBatch): Promise<void> {
    if (!isLive(batch)) return
    const done = (now() - batch.createdAt) / (batch.endsAt - batch.createdAt)
    if (done >= PENDING_SHARE && batch.end !== 'STUCK') batch.state = 'RUNNING'
    if (done < 1) return
    const running = ending.get(batch.id) ?? end(batch)
    ending.set(batch.id, running)
    await running
  }

  return {
    all: () => [...batches.values()] as readonly StandInBatch[],
    /** Orders what becomes of the next batch that is created; several orders stand in line. */
    order: (order: BatchOrder) => void orders.push(order),
    /** Orders what comes back for rows whose prompt has these words. */
    orderRows: (order: RowOrder) => void rowOrders.push({ order, left: order.times ?? Infinity }),
    clear(): void {
      orders.length = 0
      rowOrders.length = 0
    },
    /** Moves every batch that is on its way to its end. */
    async finish(): Promise<void> {
      for (const batch of batches.values()) {
        batch.endsAt = Math.min(batch.endsAt, now())
        await progress(batch)
      }
    },

    create(model: string, displayName: string, inputFile: string): { id: string; answer?: 'cut' | 'hang' } {
      findServed(model, desk.models, desk.today())
      const bytes = desk.files.bytes(inputFile.replace('files/', ''))
      const order = orders.shift() ?? {}
      if (order.create === 'refuse') throw new GoogleError(400, 'Batch is not supported for this model.')
      const live = [...batches.values()].filter(isLive).length
      if (order.create === 'busy' || live >= LIVE_LIMIT)
        throw new GoogleError(429, 'Resource has been exhausted (e.g. check quota).')
      const { end = 'SUCCEEDED', runMs = RUN_MS, create } = order
      const id = randomBytes(12).toString('hex')
      const rows = bytes.toString('latin1').split('\n').filter(Boolean).length
      const times = { createdAt: now(), endsAt: now() + runMs }
      const batch: StandInBatch = { id, displayName, model, inputFile, ...times, end, state: 'PENDING', rows }
      batches.set(id, batch)
      // By its own clock, so that a webhook comes without anybody's asking; one that is moved by hand is asked anyway.
      void desk
        .sleep(runMs)
        .then(() => progress(batch))
        .catch(() => undefined)
      return { id, ...(create && { answer: create }) }
    },
    async describe(id: string) {
      const batch = find(id)
      await progress(batch)
      return toOperation(batch)
    },
    async list() {
      for (const batch of batches.values()) await progress(batch)
      return [...batches.values()].map(toOperation).toReversed()
    },
    async cancel(id: string): Promise<void> {
      const batch = find(id)
      await progress(batch)
      if (!isLive(batch))
        throw new GoogleError(400, `Batch is in state ${batch.state}.`, { status: 'FAILED_PRECONDITION' })
      batch.state = 'CANCELLED'
    },
    /** Google forgets a batch; one that is on its way comes to nothing. */
    remove(id: string): void {
      find(id).state = 'CANCELLED'
      batches.delete(id)
    },
  }
}

function toOperation({ id, displayName, model, inputFile, state, createdAt, rows, outputFile }: StandInBatch) {
  const output = outputFile && { responsesFile: outputFile }
  const message = ERRORS[state]
  return {
    name: `batches/${id}`,
    metadata: {
      '@type': 'type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch',
      displayName,
      model: `models/${model}`,
      inputConfig: { fileName: inputFile },
      state: `BATCH_STATE_${state}`,
      createTime: new Date(createdAt).toISOString(),
      batchStats: { requestCount: String(rows) },
      name: `batches/${id}`,
      ...(output && { output }),
    },
    ...(state !== 'PENDING' && state !== 'RUNNING' && { done: true }),
    ...(output && { response: output }),
    ...(message && { error: { code: 13, message } }),
  }
}
