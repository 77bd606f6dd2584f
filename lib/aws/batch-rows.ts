import { randomUUID } from 'node:crypto'
import type { Item, Table } from './table.ts'

/**
 * A batch's row, and how it moves. Each arrow is one conditional write, and each step before it can be repeated.
 *
 *   planned ───────▶ creating ──────▶ created ───────▶ submitted ──▶ ended ──▶ collected
 *   manifest is      the intent:      Google's name    the parked    Google    every job of it is
 *   written, jobs    it may or may    is known         lines are     is done   over or sent again
 *   are enlisted,    not exist at        ▲             removed          ▲
 *   file goes up     Google's            │                              │
 *      ▲                │  │             │                              │ never created:
 *      │  surely not    │  └─ found in Google's list, by displayName    │ refused, cancelled
 *      └── created ─────┘                                               │
 *      └────────────────────────────────────────────────────────────────┘
 *
 * From `creating` nobody goes on to create before Google's list was looked through. The row's id is the `displayName`.
 */
const BATCH_STEPS = ['planned', 'creating', 'created', 'submitted', 'ended', 'collected'] as const
export type BatchStep = (typeof BATCH_STEPS)[number]

export type BatchRow = {
  id: string
  model: string
  step: BatchStep
  rows: number
  sizeBytes: number
  tokens: number
  createdAt: number
  /** When the intent to create was written down. */
  intentAt?: number
  /** Google's name, `batches/…`. */
  name?: string
  inputFile?: string
  uploadedAt?: number
  outputFile?: string
  /** How it ended: Google's word, or `REFUSED` where it was never created. */
  end?: string
  reason?: string
  /** Its jobs have waited as long as they may: it is not made any more. */
  isLate?: boolean
  /** Who wanted it cancelled: a person, or the clock. */
  cancelledBy?: 'operator' | 'stuck'
  /** The first byte of the result file that is not safe yet. */
  offset?: number
  /** Since when Google has denied having the result file. */
  fileGoneSince?: number
  /** All of the result file is safe, or it is gone. */
  emptied?: boolean
}

export type BatchRows = ReturnType<typeof createBatchRows>

/** Result files and lists of Google's last days; what became of a batch is of interest for longer. */
const KEPT_MS = 90 * 24 * 3600 * 1000
const WEBHOOK_KEPT_MS = 3 * 24 * 3600 * 1000

export function createBatchRows(table: Table, now: () => number) {
  const keyOf = (id: string) => ({ pk: `batch#${id}`, sk: 'batch' })

  return {
    async read(id: string): Promise<BatchRow | undefined> {
      const item = await table.read(keyOf(id))
      return item?.facts ? toRow(item) : undefined
    },

    /** Moves a batch on, from one of the steps named; false where somebody else has moved it. */
    async move(row: BatchRow, from: readonly BatchStep[], change: Partial<BatchRow>): Promise<boolean> {
      const next = { ...row, ...change }
      const condition = `${from.map((_, n) => `#status = :from${n}`).join(' OR ')}${row.step === 'planned' ? ' OR attribute_not_exists(pk)' : ''}`
      const written = await table.update(keyOf(row.id), 'batch', KEPT_MS, {
        set: '#status = :status, facts = :facts',
        condition,
        values: {
          ':status': `batch-${next.step}`,
          ':facts': JSON.stringify(next),
          ...Object.fromEntries(from.map((step, n) => [`:from${n}`, `batch-${step}`])),
        },
      })
      if (written) Object.assign(row, change)
      return written !== undefined
    },

    /** Notes who wants it cancelled, once; the step stays as it is. */
    async askToCancel(row: BatchRow, cancelledBy: 'operator' | 'stuck'): Promise<void> {
      await table.update(keyOf(row.id), 'batch', KEPT_MS, {
        set: 'cancelledBy = if_not_exists(cancelledBy, :by)',
        values: { ':by': cancelledBy },
      })
      row.cancelledBy ??= cancelledBy
    },

    /** Which batch bears Google's name. */
    async findByName(name: string): Promise<string | undefined> {
      return (await table.read({ pk: `batch-name#${name}`, sk: 'batch' }))?.batchId?.S
    },
    async nameIt(id: string, name: string): Promise<void> {
      const key = { pk: `batch-name#${name}`, sk: 'batch' }
      await table.update(key, 'batch', KEPT_MS, { set: 'batchId = :batch', values: { ':batch': id } })
    },

    /** Whether a webhook's id was seen before, and noting it. */
    async hasSeen(webhookId: string): Promise<boolean> {
      return (await table.read({ pk: `webhook#${webhookId}`, sk: 'webhook' })) !== undefined
    },
    async remember(webhookId: string): Promise<void> {
      const key = { pk: `webhook#${webhookId}`, sk: 'webhook' }
      await table.update(key, 'webhook id', WEBHOOK_KEPT_MS, { set: 'seenAt = :now', values: { ':now': now() } })
    },

    /** Runs `work` unless another owner runs it; a lease ends at `until`, and an owner that was killed is waited for. */
    async alone<T>(what: string, until: number, work: () => Promise<T>): Promise<T | undefined> {
      const key = { pk: `lease#${what}`, sk: 'lease' }
      const owner = randomUUID()
      await table.update(key, 'batch', KEPT_MS, {
        set: '#owner = :owner, leaseUntil = :until',
        condition: 'attribute_not_exists(pk) OR leaseUntil < :now',
        values: { ':owner': owner, ':until': until, ':now': now() },
      })
      if ((await table.read(key))?.owner?.S !== owner) return undefined
      try {
        return await work()
      } finally {
        await table
          .update(key, 'batch', KEPT_MS, {
            set: 'leaseUntil = :zero',
            condition: '#owner = :owner',
            values: { ':zero': 0, ':owner': owner },
          })
          .catch(() => undefined) // It ends by itself.
      }
    },
  }
}

function toRow(item: Item): BatchRow {
  const facts = JSON.parse(item.facts?.S ?? '{}') as BatchRow
  const cancelledBy = item.cancelledBy?.S as BatchRow['cancelledBy']
  return cancelledBy ? { ...facts, cancelledBy } : facts
}
