import { report } from './admission.ts'
import { refuseEndless } from './attempts.ts'
import { type Claim, LEASE_MARGIN_MS } from './aws/claim.ts'
import type { Parking } from './aws/parking.ts'
import type { RecipeBucket } from './aws/recipe-bucket.ts'
import { parkLine } from './batches/park.ts'
import { askForPictures, type Desk } from './calls.ts'
import { DEFAULT_SETTINGS, type Settings } from './config.ts'
import { begin } from './draft.ts'
import { EditError, Held } from './errors.ts'
import { conclude, type Ended, type Finishers } from './finish.ts'
import type { Intake } from './intake.ts'
import { type Job, parseJob } from './job.ts'
import { openMaterial } from './material.ts'
import { isoDay } from './plan.ts'
import { develop, type Files } from './prints.ts'
import { hasPictures, readKept, refuseHopeless } from './replies.ts'
import type { Result } from './result.ts'
import { takeTurn } from './session.ts'
import { giveBack } from './waiting.ts'
import { refuseEarly, writeWords } from './words-first.ts'

export type Deps = Finishers & { parking: Parking; recipes: RecipeBucket; inputBuckets: readonly string[] }

type Edit = (intake: Intake, time: { deadlineAt: number }) => Promise<Ended>

/**
 * One edit, whoever asked: claim, inputs, request, Gemini, parts, result. Resolves when the job is over, well or badly, and
 * rejects when it is not: with `Held`, with an `EditError` whose `retryAfterMs` says when to come again, or with a bug.
 */
export function createEdit(deps: Deps): Edit {
  const { ledger, now } = deps

  return async function edit(intake, { deadlineAt }) {
    const { id, hash, firstSeenAt } = intake
    const begunAt = now()
    const outcome = await ledger
      .claim(id, { hash, firstSeenAt, leaseUntil: deadlineAt + LEASE_MARGIN_MS })
      .catch((error: unknown) => {
        // No gate can be closed without the table that it would be closed in.
        if (error instanceof EditError && error.remedy === 'repair')
          deps.log.error('ledger refused', { job: id, code: error.code, reason: error.message })
        throw error
      })
    if (outcome.kind === 'over') return { id, status: outcome.status }
    if (outcome.kind === 'batched') return { id, status: 'batched' }
    if (outcome.kind === 'held') throw new Held(id, outcome.until, outcome.by)
    if (outcome.kind === 'reused') return edit(answerReuse(intake), { deadlineAt })
    let settings = DEFAULT_SETTINGS
    try {
      settings = await deps.recipes.settings()
      return await work(deps, settings, outcome.claim, intake, deadlineAt)
    } catch (error) {
      const { claim } = outcome
      const fault = await report({ ...deps, claim, probes: [] }, error, { modelId: '', begunAt })
      throw await giveBack(ledger, claim, settings, fault, now())
    }
  }
}

const REUSED = 'reused'

/** What the id stands for is not touched, so the answer lies under an id of its own; where that one stands for a third job, it is a bug. */
function answerReuse(intake: Intake): Intake {
  if (intake.hash === REUSED) throw new Error(`id ${intake.id} is taken, and so is the one that would say so`)
  const message = `id ${intake.id} belongs to another job; this one, with other content, was not run`
  return {
    ...intake,
    id: intake.spareId,
    hash: REUSED,
    read: () => Promise.reject(new EditError('ERR_JOB_ID_REUSED', message)),
  }
}

/** Between its claim and its end, which is `finish.ts`. A job that has made a call goes on as the ledger has it. */
async function work(deps: Deps, settings: Settings, claim: Claim, intake: Intake, deadlineAt: number): Promise<Ended> {
  const read = async () => (claim.job ? parseJob(JSON.parse(claim.job)) : await intake.read())
  return conclude(deps, { claim, settings, deadlineAt }, { ...intake, read }, (desk, job, draft) =>
    produce(deps, desk, intake, job, draft),
  )
}

/** The middle of the flow: what it learns on the way is in the draft also when it throws. */
async function produce(deps: Deps, desk: Desk, intake: Intake, given: Job, draft: Result): Promise<Files | 'batched'> {
  const { claim, now } = desk
  const { session } = given
  if (session !== undefined) refuseEarly(given, desk.settings, isoDay(now()))
  const turn = session === undefined ? undefined : await takeTurn(deps, claim, session, intake.message)
  draft.session = turn?.facts
  const timeLeftMs = () => desk.deadlineAt - now()
  const material = await openMaterial({ ...deps, claim, pins: intake.pins, timeLeftMs }, given, turn, draft)
  const job = await writeWords(desk, given, material)
  const plan = { ...begin(desk, job, draft), base: material.base }
  await readKept(desk, plan)
  if (goesByBatch(desk, job)) {
    refuseHopeless(desk.replies)
    refuseEndless(claim)
    await parkLine(deps, desk, plan, await material.bring(plan), intake)
    return 'batched'
  }
  return develop(desk, draft, job, await askForPictures(desk, plan, material))
}

/** A job leaves the batch lane after the batches that the settings give it, or when a batch's end says so. */
function goesByBatch({ claim, settings, replies }: Desk, job: Job): boolean {
  if (job.lane !== 'batch' || replies.some(hasPictures)) return false
  return claim.lane !== 'now' && claim.batches < settings.batch.tries
}
