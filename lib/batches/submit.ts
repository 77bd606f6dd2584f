import type { BatchRow } from '../aws/batch-rows.ts'
import { LEASE_MARGIN_MS } from '../aws/claim.ts'
import { type Code, EditError } from '../errors.ts'
import { advance } from './advance.ts'
import { type BatchDesk, listLive, manifestKey, readManifest } from './desk.ts'
import { makeBatches } from './make.ts'
import { OVER } from './park.ts'

const HOUR_MS = 3_600_000

/**
 * One tick of the batch lane's clock: every batch that is on its way is put on the batches queue, those whose making was
 * interrupted are brought on, and parked lines become new batches. Never two at once: who comes second goes home.
 */
export async function submit(desk: BatchDesk, { deadlineAt }: { deadlineAt: number }): Promise<void> {
  const live = await readLive(desk)
  for (const row of live) {
    // An alarm watches the hours: Google promises a day, and what keeps a batch from Google should not take one.
    const batchHours = (desk.now() - row.createdAt) / HOUR_MS
    desk.log.info('batch under way', { batch: row.id, step: row.step, batchHours })
    if (row.step !== 'planned' && row.step !== 'creating') await desk.queueBatch(row.id)
  }
  await desk.batches.alone('batch-submit', deadlineAt + LEASE_MARGIN_MS, async () => {
    const settings = await desk.recipes.settings()
    // Read again: another owner may have worked until just now.
    const known = await readLive(desk)
    const shut: Shut = new Set()
    const lateBefore = desk.now() - settings.maxWaitHours * HOUR_MS
    for (const row of known) {
      if (row.step === 'planned') row.isLate ||= row.createdAt < lateBefore
      await bring(desk, row, shut, deadlineAt)
    }
    const isShut = (model: string) => shut.has(ALL) || shut.has(model)
    for await (const row of makeBatches(desk, settings.batch, { live: known, isShut, lateBefore }, deadlineAt))
      await bring(desk, row, shut, deadlineAt)
  })
}

/**
 * What Google refused one batch of this tick it would refuse the next: of any model, or of the same. So a tick meets a wrong
 * key or a spent quota once. The gates of the `now` lane are left alone: a try in five minutes is rarer than their own look a
 * minute, and batches have quotas apart from those of calls, so that neither lane may shut the other out for a day.
 */
const SHUTS: Partial<Record<Code, (row: BatchRow) => string>> = {
  ERR_GEMINI_KEY: () => ALL,
  ERR_GEMINI_ACCOUNT: () => ALL,
  ERR_AWS_FORBIDDEN: () => ALL,
  ERR_GEMINI_QUOTA_NONE: ({ model }) => model,
  ERR_GEMINI_QUOTA_DAY: ({ model }) => model,
  ERR_GEMINI_RATE: ({ model }) => model,
}
const ALL = '*'
type Shut = Set<string>

/** Brings a batch on, unless this tick knows that nothing comes of it. One that is to be cancelled or too late is, and one that may exist is looked for. */
async function bring(desk: BatchDesk, row: BatchRow, shut: Shut, deadlineAt: number): Promise<void> {
  const isInVain = shut.has(ALL) || (row.step === 'planned' && shut.has(row.model))
  if (isInVain && !row.cancelledBy && !row.isLate) return
  const fault = await tryTo(desk, row, () => advance(desk, row, { deadlineAt }))
  const closes = fault && SHUTS[fault.code]?.(row)
  if (closes) shut.add(closes)
}

/** One batch's trouble is not the others'. What is not the operator's or time's to mend is a bug, and ends the tick. */
async function tryTo({ log }: BatchDesk, row: BatchRow, work: () => Promise<void>): Promise<EditError | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (!(error instanceof EditError)) throw error
    const fields = { batch: row.id, step: row.step, code: error.code, reason: error.message }
    if (error.remedy === 'wait') log.warn('batch waits', fields)
    else log.error('batch waits for a repair', fields)
    return error
  }
}

/** The rows of all batches that are not over. One that is over and still listed died between its last two steps. */
async function readLive(desk: BatchDesk): Promise<BatchRow[]> {
  const rows: BatchRow[] = []
  for (const id of await listLive(desk)) {
    const row = (await desk.batches.read(id)) ?? (await readPlanned(desk, id))
    if (row?.step === 'collected') await fileAway(desk, row)
    else if (row) rows.push(row)
  }
  return rows
}

async function readPlanned(desk: BatchDesk, id: string): Promise<BatchRow | undefined> {
  for await (const entry of readManifest(desk, id)) return 'line' in entry ? undefined : entry
  return undefined
}

/** The last step: a batch that is collected leaves the list of those that live. */
export async function fileAway({ storage, resultsBucket }: BatchDesk, row: BatchRow): Promise<void> {
  const body = `${JSON.stringify(row, null, 2)}\n`
  await storage.write(resultsBucket, `${OVER}${row.id}.json`, body, { contentType: 'application/json' })
  await storage.remove(resultsBucket, [manifestKey(row.id)])
}
