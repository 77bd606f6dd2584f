import { randomUUID } from 'node:crypto'
import type { BatchRow } from '../aws/batch-rows.ts'
import type { BatchSettings } from '../batch-settings.ts'
import { type BatchDesk, type Member, manifestKey } from './desk.ts'
import { OPEN, readLineKey } from './park.ts'

/** Left for what follows the making of a batch: enlisting its jobs and sending its file. */
const ADVANCE_NEEDS_MS = 120_000
const LOOK_AT_ONCE = 25
const PIECE_LENGTH = 2 ** 15

type Draft = {
  model: string
  members: Buffer[]
  last: string
  rows: number
  sizeBytes: number
  tokens: number
  replyBytes: number
  isLate: boolean
}
type Candidate = Member & { model: string; tokens: number; replyBytes: number; isLate: boolean }

/**
 * Parked lines as batches of one model within the limits; each one's manifest is written before it is yielded. A model that is
 * shut, or becomes so between two batches, has none made. Jobs first seen before `lateBefore` get batches of their own, which
 * end unmade.
 */
export async function* makeBatches(
  desk: BatchDesk,
  limits: BatchSettings,
  { live, isShut, lateBefore }: { live: readonly BatchRow[]; isShut: (model: string) => boolean; lateBefore: number },
  deadlineAt: number,
): AsyncGenerator<BatchRow> {
  const onTheWay = new Map<string, number>()
  for (const { model, tokens } of live) onTheWay.set(model, (onTheWay.get(model) ?? 0) + tokens)
  let count = live.length
  let draft: Draft | undefined
  const flush = async (): Promise<BatchRow | undefined> => {
    if (!draft || count >= limits.live) return undefined
    const done = draft
    draft = undefined
    count += 1
    onTheWay.set(done.model, (onTheWay.get(done.model) ?? 0) + done.tokens)
    return writeManifest(desk, done)
  }
  for await (const next of candidates(desk, lateBefore)) {
    if (count >= limits.live || desk.now() > deadlineAt - ADVANCE_NEEDS_MS) return
    if (draft && !fits(draft, next, limits)) {
      const row = await flush()
      if (row) yield row
    }
    if (isShut(next.model) && !next.isLate) continue
    const ahead = (onTheWay.get(next.model) ?? 0) + (draft?.tokens ?? 0)
    // A single job may weigh more than the limit: it goes when nothing else of its model is on the way.
    if (ahead > 0 && ahead + next.tokens > limits.tokens && !next.isLate) continue
    const { model, isLate } = next
    draft = add(
      draft ?? { model, isLate, members: [], last: '', rows: 0, sizeBytes: 0, tokens: 0, replyBytes: 0 },
      next,
    )
  }
  const row = await flush()
  if (row) yield row
}

function fits(draft: Draft, next: Candidate, limits: BatchSettings): boolean {
  return (
    draft.model === next.model &&
    draft.isLate === next.isLate &&
    draft.rows < limits.rows &&
    draft.sizeBytes + next.sizeBytes <= limits.fileBytes &&
    draft.replyBytes + next.replyBytes <= limits.replyBytes
  )
}

/** Members are kept as the bytes of the manifest, some hundreds in a piece: ten thousand weigh nothing on the heap. */
function add(draft: Draft, { model: _, isLate: __, tokens, replyBytes, ...member }: Candidate): Draft {
  draft.last += `${JSON.stringify(member)}\n`
  if (draft.last.length >= PIECE_LENGTH) {
    draft.members.push(Buffer.from(draft.last))
    draft.last = ''
  }
  draft.rows += 1
  draft.sizeBytes += member.sizeBytes
  draft.tokens += tokens
  draft.replyBytes += replyBytes
  return draft
}

/** Lines whose jobs wait for a batch, in order of their keys; those that nobody waits for any more are removed. */
async function* candidates(
  { storage, parking, resultsBucket }: BatchDesk,
  lateBefore: number,
): AsyncGenerator<Candidate> {
  type Look = { key: string; sizeBytes: number; model: string; id: string; found: ReturnType<typeof parking.look> }
  let group: Look[] = []
  async function* settle(): AsyncGenerator<Candidate> {
    const looks = group
    group = []
    const found = await Promise.all(looks.map(look => look.found))
    for (const [n, { key, sizeBytes, model, id }] of looks.entries()) {
      const parked = found[n]
      if (parked === 'stale') await storage.remove(resultsBucket, [key])
      else if (parked && parked !== 'taken') {
        const { tokens, replyBytes, firstSeenAt } = parked
        yield { id, line: key, sizeBytes, model, tokens, replyBytes, isLate: firstSeenAt < lateBefore }
      }
    }
  }
  for await (const { key, sizeBytes } of storage.scan(resultsBucket, OPEN)) {
    const parsed = readLineKey(key)
    if (!parsed) continue
    const found = parking.look(parsed.id, key)
    // Told when its group is settled; until then the list may take its time.
    found.catch(() => undefined)
    group.push({ key, sizeBytes, ...parsed, found })
    if (group.length >= LOOK_AT_ONCE) yield* settle()
  }
  yield* settle()
}

async function writeManifest(desk: BatchDesk, draft: Draft): Promise<BatchRow> {
  const { model, rows, sizeBytes, tokens, isLate } = draft
  const row: BatchRow = {
    id: `darkroom-${new Date(desk.now()).toISOString().slice(0, 10)}-${randomUUID()}`,
    model,
    step: 'planned',
    rows,
    sizeBytes,
    tokens,
    createdAt: desk.now(),
    ...(isLate && { isLate }),
  }
  const body = Buffer.concat([Buffer.from(`${JSON.stringify(row)}\n`), ...draft.members, Buffer.from(draft.last)])
  await desk.storage.write(desk.resultsBucket, manifestKey(row.id), body, { contentType: 'application/jsonl' })
  return row
}
