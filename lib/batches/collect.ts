import type { BatchRow } from '../aws/batch-rows.ts'
import { LEASE_MARGIN_MS } from '../aws/claim.ts'
import { EditError } from '../errors.ts'
import { readRow } from '../gemini/batch-file.ts'
import type { BatchState, GoogleBatch } from '../gemini/batches.ts'
import { type BatchDesk, inGroups, membersOf } from './desk.ts'
import { type EndRow, toRule } from './ends.ts'
import { fileAway } from './submit.ts'

/** Left at the end of a function: a row is kept, written and closed well within it. */
const ROW_NEEDS_MS = 30_000
/** How often it is written down up to where a result file is safe. */
const NOTE_EVERY_ROWS = 50
const CLOSE_AT_ONCE = 5
/** SQS delays no message longer. */
const LONGEST_DELAY_MS = 900_000
const HOUR_MS = 3_600_000
/** Google's own end of a batch. */
const FORGOTTEN_AFTER_HOURS = 48
/** After it was to be cancelled at the latest. */
const CANCEL_WITHIN_HOURS = 12
const FILE_GONE_FOR_MS = HOUR_MS

type Time = { deadlineAt: number }

/**
 * Looks after one batch that Google has: reads it again, whatever a message said of it, and when it is over ends each of its
 * jobs from the result file, one row in memory at a time. Resolves also when there is more to do: the batch is then on the
 * queue again, or comes with the slow clock.
 */
export async function collect(desk: BatchDesk, endRow: EndRow, id: string, time: Time): Promise<void> {
  await desk.batches.alone(`batch-collect#${id}`, time.deadlineAt + LEASE_MARGIN_MS, async () => {
    const row = await desk.batches.read(id)
    if (!row) return
    try {
      if (row.step === 'submitted') await lookAt(desk, row)
      if (row.step === 'ended') await empty(desk, endRow, row, time)
    } catch (error) {
      if (!(error instanceof EditError)) throw error
      const fields = { batch: id, code: error.code, reason: error.message }
      if (error.remedy === 'wait') desk.log.warn('batch waits', fields)
      else desk.log.error('batch waits for a repair', fields)
    }
  })
}

/** Reads the batch at Google's: over, stuck, or to be looked at again. */
async function lookAt(desk: BatchDesk, row: BatchRow): Promise<void> {
  const { google, batches, recipes, now } = desk
  const found = await google.get(row.name ?? '')
  const hours = (now() - (row.intentAt ?? row.createdAt)) / HOUR_MS
  const over = found ? toEnd(found) : findForgotten(row, hours)
  if (over) {
    await batches.move(row, ['submitted'], { step: 'ended', ...over, offset: 0 })
    return
  }
  if (!found) return desk.log.warn('batch is not found', { batch: row.id, name: row.name })
  const { stuckHours } = (await recipes.settings()).batch
  const isStuck = hours > stuckHours
  if (row.cancelledBy && hours > stuckHours + CANCEL_WITHIN_HOURS) {
    const reason = 'Google did not cancel it'
    await batches.move(row, ['submitted'], { step: 'ended', end: unlessCancelled(row, 'STUCK'), reason, offset: 0 })
  } else if (row.cancelledBy === 'operator' || isStuck) {
    if (!row.cancelledBy) await batches.askToCancel(row, 'stuck')
    desk.log.warn('batch is cancelled', { batch: row.id, state: found.state, cancelledBy: row.cancelledBy })
    await google.cancel(row.name ?? '')
  }
}

const OVER: readonly BatchState[] = ['SUCCEEDED', 'PARTIALLY_SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED']

type End = Pick<BatchRow, 'end' | 'reason' | 'outputFile'>

/** How a batch ended, if it did; one that is over in a word of Google's that is not known here has failed. */
function toEnd({ state, isDone, message, responsesFile }: GoogleBatch): End | undefined {
  const end = state ?? (isDone ? 'FAILED' : undefined)
  return end && OVER.includes(end) ? { end, reason: message, outputFile: responsesFile } : undefined
}

/** Google's answers may lag behind: that it knows none of that name is believed when it may have forgotten it. */
function findForgotten(row: BatchRow, hours: number): End | undefined {
  if (hours <= FORGOTTEN_AFTER_HOURS) return undefined
  return { end: unlessCancelled(row, 'EXPIRED'), reason: 'Google knows it no more' }
}

/** Jobs that a person cancelled do not go again. */
function unlessCancelled({ cancelledBy }: BatchRow, end: string): string {
  return cancelledBy === 'operator' ? 'CANCELLED' : end
}

/** Ends every job of a batch that is over: first those with a row, then those without. */
async function empty(desk: BatchDesk, endRow: EndRow, row: BatchRow, time: Time): Promise<void> {
  const { batches, queueBatch, log, now } = desk
  const goOnAt =
    (await emptyFile(desk, endRow, row, time).catch(giveUpFile(desk, row))) ??
    (await emptyRest(desk, endRow, row, time))
  if (goOnAt !== undefined) return queueBatch(row.id, Math.min(LONGEST_DELAY_MS, Math.max(0, goOnAt - now())))
  await removeFiles(desk, row)
  if (!(await batches.move(row, ['ended'], { step: 'collected' }))) return
  await fileAway(desk, row)
  log.info('batch over', { batch: row.id, end: row.end, rows: row.rows, ms: now() - row.createdAt })
}

/**
 * A file that Google has no more takes its rows along: their jobs go again, and are paid again. So it is believed only when it
 * has been said for an hour, and nothing else between. Any other error is another time's.
 */
function giveUpFile({ batches, log, now }: BatchDesk, row: BatchRow): (error: unknown) => Promise<undefined> {
  return async error => {
    const isGone = error instanceof EditError && (GONE.includes(error.code) || /may not exist/.test(error.message))
    if (!isGone) throw error
    if (now() - (row.fileGoneSince ?? now()) < FILE_GONE_FOR_MS) {
      await batches.move(row, ['ended'], { fileGoneSince: row.fileGoneSince ?? now() })
      throw new EditError('ERR_GEMINI_UNAVAILABLE', `the result file is not found: ${error.message}`, { cause: error })
    }
    log.error('result file is gone', { batch: row.id, file: row.outputFile, reason: error.message })
    await batches.move(row, ['ended'], { emptied: true })
  }
}

const GONE: readonly string[] = ['ERR_MODEL_GONE', 'ERR_GEMINI_FILE_LOST']

/** The rows of the result file, from where the last owner stopped. Resolves to when to go on, or to nothing when all are safe. */
async function emptyFile(desk: BatchDesk, endRow: EndRow, row: BatchRow, time: Time): Promise<number | undefined> {
  const { google, batches, now, log } = desk
  if (!row.outputFile || row.emptied) return undefined
  let unnoted = 0
  for await (const { line, end } of google.lines(row.outputFile, row.offset ?? 0)) {
    row.fileGoneSince = undefined
    if (isTimeUp(desk, time)) return now()
    const answer = readRow(line, now())
    const outcome = answer ? await endRow(row, answer, time.deadlineAt) : 'garbage'
    if (typeof outcome === 'object') {
      // The row is not safe: whoever comes next begins with it.
      await batches.move(row, ['ended'], {})
      return outcome.heldUntil
    }
    if (outcome !== 'ended')
      log.warn('batch row left', { batch: row.id, why: outcome, key: answer?.key.slice(0, 100), end })
    row.offset = end
    unnoted += 1
    if (unnoted < NOTE_EVERY_ROWS) continue
    await batches.move(row, ['ended'], {})
    unnoted = 0
  }
  // Before the file is removed: from now on nobody asks for it.
  await batches.move(row, ['ended'], { emptied: true })
  return undefined
}

/** Jobs that no row ended, by the rule of the batch's end. Resolves to when to go on, or to nothing when none is left. */
async function emptyRest(desk: BatchDesk, endRow: EndRow, row: BatchRow, time: Time): Promise<number | undefined> {
  const { parking, now } = desk
  let goOnAt: number | undefined
  const leave = (until: number) => {
    goOnAt = Math.min(until, goOnAt ?? until)
  }
  await inGroups(membersOf(desk, row.id), CLOSE_AT_ONCE, async ({ id }) => {
    if (isTimeUp(desk, time)) return leave(now())
    if (!(await parking.isOpen(id, row.id))) return
    const outcome = await endRow(row, { key: id, error: toRule(row).error }, time.deadlineAt)
    if (typeof outcome === 'object') leave(outcome.heldUntil)
  })
  return goOnAt
}

function isTimeUp({ now }: BatchDesk, { deadlineAt }: Time): boolean {
  return now() > deadlineAt - ROW_NEEDS_MS
}

/** Files at Google's go by themselves after 48 hours: a refusal to remove them earlier is only worth a warning. */
async function removeFiles({ google, log }: BatchDesk, row: BatchRow): Promise<void> {
  for (const file of [row.inputFile, row.outputFile]) {
    if (!file) continue
    await google.removeFile(file).catch((error: unknown) => {
      log.warn('file stays at Google', { batch: row.id, file, reason: String(error) })
    })
  }
}
