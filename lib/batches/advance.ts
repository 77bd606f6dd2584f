import type { BatchRow, BatchStep } from '../aws/batch-rows.ts'
import { type Code, EditError } from '../errors.ts'
import type { GoogleBatch } from '../gemini/batches.ts'
import { type BatchDesk, inGroups, type Member, membersOf } from './desk.ts'
import { OPEN } from './park.ts'

/** Google may still be at work on a creation whose answer was lost: nobody looks for it, in vain, before this has passed. */
const SETTLE_MS = 240_000
/** Files last 48 hours at Google's. */
const FILE_FRESH_MS = 40 * 3_600_000
/** A file of 2 GB at 20 MB/s. */
const UPLOAD_NEEDS_MS = 100_000
/** Left after the upload for making the batch. */
const AFTER_UPLOAD_MS = 10_000
const ENLIST_AT_ONCE = 20
/** Lines whose first pieces are on their way while one is sent. */
const OPEN_AT_ONCE = 8
const PIECE_BYTES = 2 ** 20
/** Keys in one order to remove lines; S3 takes a thousand, and ten thousand are not held. */
const REMOVE_AT_ONCE = 250

type Step = (desk: BatchDesk, row: BatchRow, time: { deadlineAt: number }) => Promise<boolean>

/** What brings a batch on from where it stands; each can be repeated. True: go on with the next. */
const STEPS: Partial<Record<BatchStep, Step>> = { planned: upload, creating: lookForIt, created: removeLines }

/** Brings a batch as far as it goes: to Google's hands. An interruption anywhere is followed by the same step again. */
export async function advance(desk: BatchDesk, row: BatchRow, time: { deadlineAt: number }): Promise<void> {
  while (await STEPS[row.step]?.(desk, row, time)) {}
}

/** Enlists the jobs, sends their lines as one file, and writes down the intent to make a batch of it. */
async function upload(desk: BatchDesk, row: BatchRow, { deadlineAt }: { deadlineAt: number }): Promise<boolean> {
  const { batches, google, now } = desk
  if (row.cancelledBy) return endUnsent(desk, row, 'CANCELLED', 'cancelled before it was made')
  if (row.isLate) return endUnsent(desk, row, 'EXPIRED', 'its jobs waited too long to be sent')
  const needsMs = UPLOAD_NEEDS_MS * Math.max(0.2, row.sizeBytes / 2e9)
  if (now() > deadlineAt - needsMs) return false
  if (!row.inputFile || (row.uploadedAt ?? 0) < now() - FILE_FRESH_MS) {
    const enlisted = await enlist(desk, row)
    if (enlisted.rows === 0) return endUnmade(desk, row, 'EMPTY', 'none of its jobs has a line that waits')
    const stream = () => streamLines(desk, row)
    const inputFile = await google.upload(enlisted.sizeBytes, stream, () => deadlineAt - now() - AFTER_UPLOAD_MS)
    if (!(await batches.move(row, ['planned'], { ...enlisted, inputFile, uploadedAt: now() }))) return false
  }
  return create(desk, row)
}

/**
 * Puts every member into this batch; those that went elsewhere in the meantime are left out, and their lines with them. A
 * member whose line somebody has deleted is enlisted without one: as all that get no answer it goes again when the batch is
 * over. Waiting for the line would hold up the others for ever, as the file is sent by its size.
 */
async function enlist(desk: BatchDesk, row: BatchRow): Promise<{ rows: number; sizeBytes: number }> {
  const { parking, batches, log } = desk
  await batches.move(row, ['planned'], {})
  let rows = 0
  let sizeBytes = 0
  await inGroups(withLines(desk, row), ENLIST_AT_ONCE, async member => {
    if (!(await parking.enlist(member.id, member.line, row.id))) return
    if (member.sizeBytes === 0) return log.warn('parked line is gone', { batch: row.id, job: member.id })
    rows += 1
    sizeBytes += member.sizeBytes
  })
  return { rows, sizeBytes }
}

/** The members with the sizes of their lines as they lie there now, 0 for none. Manifest and listing have the same order. */
async function* withLines(desk: BatchDesk, { id, model }: BatchRow): AsyncGenerator<Member> {
  const lines = desk.storage.scan(desk.resultsBucket, `${OPEN}${model}/`)
  let found = await lines.next()
  for await (const member of membersOf(desk, id)) {
    while (!found.done && found.value.key < member.line) found = await lines.next()
    const isThere = !found.done && found.value.key === member.line
    yield { ...member, sizeBytes: isThere ? found.value.sizeBytes : 0 }
  }
}

/** The enlisted lines one after another, whatever their number and size. */
async function* streamLines(desk: BatchDesk, row: BatchRow): AsyncGenerator<Buffer> {
  type Opened = { member: Member; first: ReturnType<typeof openLine> }
  const opened: Opened[] = []
  const send = async function* ({ member, first }: Opened): AsyncGenerator<Buffer> {
    let piece = await first
    for (let at = 0; piece; piece = at < member.sizeBytes ? await readPiece(desk, member, at) : undefined) {
      yield piece
      at += PIECE_BYTES
    }
  }
  for await (const member of withLines(desk, row)) {
    const first = openLine(desk, member, row.id)
    // Whoever reads it hears of its failure; until then it is nobody's.
    first.catch(() => undefined)
    opened.push({ member, first })
    if (opened.length >= OPEN_AT_ONCE) yield* send(opened.shift() as Opened)
  }
  for (const left of opened) yield* send(left)
}

async function openLine(desk: BatchDesk, member: Member, batch: string): Promise<Buffer | undefined> {
  if (member.sizeBytes === 0 || !(await desk.parking.isOpen(member.id, batch))) return undefined
  return readPiece(desk, member, 0)
}

/** By ranges, not as a stream: while eight megabytes go up to Google, S3 would hang up. */
function readPiece({ storage, resultsBucket }: BatchDesk, { line, sizeBytes }: Member, at: number) {
  return storage.read(`s3://${resultsBucket}/${line}`, undefined, [at, Math.min(at + PIECE_BYTES, sizeBytes) - 1])
}

/** After an answer that was lost, or a death before it came, Google's list decides whether there is a batch. */
async function lookForIt(desk: BatchDesk, row: BatchRow): Promise<boolean> {
  const found = await desk.google.find(row.id)
  if (found) return name(desk, row, found)
  if (desk.now() - (row.intentAt ?? 0) < SETTLE_MS) return false
  if (row.cancelledBy) return endUnmade(desk, row, 'CANCELLED', 'cancelled before it was made')
  return create(desk, row)
}

/** What a creation can end with of which nobody knows whether it came to pass. Any other answer is a refusal. */
const UNKNOWN: readonly Code[] = ['ERR_GEMINI_UNAVAILABLE', 'ERR_GEMINI_TIMEOUT', 'ERR_GEMINI_BROKE_OFF']

/** Makes the batch at Google's: the intent is written down, or renewed, before it is acted upon. */
async function create(desk: BatchDesk, row: BatchRow): Promise<boolean> {
  const { google, batches, now } = desk
  if (!(await batches.move(row, ['planned', 'creating'], { step: 'creating', intentAt: now() }))) return false
  let made: GoogleBatch
  try {
    made = await google.create(row.model, row.id, row.inputFile ?? '')
  } catch (error) {
    return takeRefusal(desk, row, error)
  }
  // Outside: what fails from here on is no refusal, and there is a batch.
  return name(desk, row, made)
}

/** Only what Google refused for certain leaves `creating`: back to be made later, or to its end. */
async function takeRefusal(desk: BatchDesk, row: BatchRow, error: unknown): Promise<boolean> {
  if (!(error instanceof EditError) || UNKNOWN.includes(error.code)) throw error
  if (error.remedy !== 'change') {
    // A file that Google has lost is sent again.
    const kept = error.code === 'ERR_GEMINI_FILE_LOST' ? { inputFile: undefined } : {}
    await desk.batches.move(row, ['creating'], { step: 'planned', ...kept })
    throw error
  }
  desk.log.error('batch refused', { batch: row.id, model: row.model, code: error.code, reason: error.message })
  return endUnmade(desk, row, 'REFUSED', error.message)
}

async function name({ batches }: BatchDesk, row: BatchRow, { name }: GoogleBatch): Promise<boolean> {
  if (!(await batches.move(row, ['creating'], { step: 'created', name }))) return false
  await batches.nameIt(row.id, name)
  return true
}

/** Google has the lines now; whoever goes again is built anew from its inputs. */
async function removeLines(desk: BatchDesk, row: BatchRow): Promise<boolean> {
  const { batches, parking, storage, resultsBucket, log, now } = desk
  const lines: string[] = []
  await inGroups(membersOf(desk, row.id), ENLIST_AT_ONCE, async ({ id, line }) => {
    if (await parking.isOpen(id, row.id)) lines.push(line)
    if (lines.length >= REMOVE_AT_ONCE) await storage.remove(resultsBucket, lines.splice(0))
  })
  await storage.remove(resultsBucket, lines)
  if (row.name) await batches.nameIt(row.id, row.name)
  if (!(await batches.move(row, ['created'], { step: 'submitted' }))) return false
  const { id, model, rows, sizeBytes, tokens } = row
  log.info('batch submitted', { batch: id, name: row.name, model, rows, sizeBytes, tokens, ms: now() - row.createdAt })
  return false
}

/** Its jobs become its own first: whose batch ends without them would go into the next. */
async function endUnsent(desk: BatchDesk, row: BatchRow, end: string, reason: string): Promise<boolean> {
  await enlist(desk, row)
  return endUnmade(desk, row, end, reason)
}

/** A batch that Google never had: its jobs are free again, by the collector's rules. */
async function endUnmade(desk: BatchDesk, row: BatchRow, end: string, reason: string): Promise<boolean> {
  if (await desk.batches.move(row, ['planned', 'creating'], { step: 'ended', end, reason, offset: 0 }))
    await desk.queueBatch(row.id)
  return false
}
