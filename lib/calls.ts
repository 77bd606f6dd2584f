import { admit, comeToSlot, looksAtAws, openGates, report, reserve, settle } from './admission.ts'
import { LOST, mayBeBilled, record, refuseEndless } from './attempts.ts'
import { LEASE_MARGIN_MS } from './aws/claim.ts'
import type { Ledger } from './aws/ledger.ts'
import { EditError } from './errors.ts'
import type { Gemini, RawReply } from './gemini/client.ts'
import { type Brought, buildQuestion, type Material } from './material.ts'
import { succeed } from './models.ts'
import { isoDay, type Plan, replan, type WordsPlan } from './plan.ts'
import {
  hasPictures,
  hasWords,
  type JudgedReply,
  judge,
  keep,
  type Pictured,
  refuseHopeless,
  type Tray,
  toAsks,
  type Worded,
} from './replies.ts'
import { retry } from './retry.ts'
import { findLate } from './waiting.ts'

/** All that the calls for one claimed job need. */
export type Desk = Tray & { ledger: Ledger; gemini: Gemini }

type Owner = Pick<Desk, 'claim' | 'settings' | 'deadlineAt'>
type Tools = Omit<Desk, keyof Owner | 'recipe' | 'folder' | 'leaseUntil' | 'replies' | 'probes'>

/** The desk of a claimed job, before its first call. */
export function openDesk(tools: Tools, owner: Owner, place: Pick<Desk, 'recipe' | 'folder'>): Desk {
  return { ...tools, ...owner, ...place, leaseUntil: owner.deadlineAt + LEASE_MARGIN_MS, replies: [], probes: [] }
}

/** 4K takes 50–120 s (reported by many): a call that is begun with less is likely to be paid for and lost. */
const CALL_NEEDS_MS = 120_000
/** Left after the call for keeping, writing and closing. */
const SAVE_NEEDS_MS = 20_000

/** The first reply with pictures: one that was kept, or a new one. Throws what the replies or the way there ended with. */
export function askForPictures(desk: Desk, plan: Plan, material: Material): Promise<Pictured> {
  return ask(desk, plan, material, hasPictures)
}

/** The first reply with the words that were asked for, as `askForPictures`. */
export function askForWords(desk: Desk, plan: WordsPlan, material: Material): Promise<Worded> {
  return ask(desk, plan, material, hasWords)
}

async function ask<Good extends JudgedReply>(
  desk: Desk,
  plan: Plan,
  material: Material,
  isGood: (reply: JudgedReply) => reply is Good,
): Promise<Good> {
  let current = plan
  for (;;) {
    const best = desk.replies.find(isGood)
    if (best) return best
    refuseHopeless(desk.replies.filter(reply => Boolean(reply.plan.words) === Boolean(plan.words)))
    const reply = await retry(() => callOnce(desk, current, material), {
      timeLeftMs: () => desk.deadlineAt - desk.now() - CALL_NEEDS_MS - SAVE_NEEDS_MS,
    }).catch((error: unknown) => {
      if (!(error instanceof EditError && error.code === 'ERR_MODEL_GONE') || current !== plan || plan.words)
        throw error
      current = replan(plan, succeed(plan.modelId, plan.model, desk.settings.catalogue, isoDay(desk.now())))
      return undefined
    })
    if (!reply) continue
    const judged = judge(desk, current, desk.claim.calls, reply.json, 'now')
    desk.replies.push(judged)
    // Beyond the retries: what fails here must not ask again for a reply that is kept.
    await settle(desk, desk.claim.hold, judged.usd)
  }
}

/** One paid call: admitted and counted before it is made, its reply kept before anything is made of it. */
async function callOnce(desk: Desk, plan: Plan, material: Material): Promise<RawReply> {
  const { claim, ledger, deadlineAt, now } = desk
  refuseEndless(claim)
  const late = findLate(claim, desk.settings, now(), claim.waitReason ?? 'a long queue')
  if (late) throw late
  const slotAt = await admit(desk, plan)
  const brought = await material.bring(plan)
  await comeToSlot(desk, plan, slotAt)
  const timeLeftMs = () => deadlineAt - now() - SAVE_NEEDS_MS
  if (timeLeftMs() < CALL_NEEDS_MS) throw toTimeShort(timeLeftMs())
  await makeSure(desk, plan)
  const hold = await reserve(desk, plan, 'now')
  if (timeLeftMs() < CALL_NEEDS_MS) {
    await settle(desk, hold, 0)
    throw toTimeShort(timeLeftMs())
  }
  const pinned = plan.words ? plan.job : { ...plan.job, model: plan.requested }
  const { session } = brought
  const inputs = brought.inputs.map(input => input.facts)
  await ledger.attempt(claim, { job: JSON.stringify(pinned), inputs, session, hold })
  return call(desk, plan, material, brought)
}

function toTimeShort(timeLeftMs: number): EditError {
  const message = `${Math.round(timeLeftMs / 1000)} s are left, a call may need ${CALL_NEEDS_MS / 1000}`
  return new EditError('ERR_TIME_SHORT', message)
}

/** What would go wrong after the call is tried before it: a missing permission costs nothing then. */
async function makeSure(desk: Desk, { modelId }: Plan): Promise<void> {
  const { gemini, storage, resultsBucket, now } = desk
  const begunAt = now()
  const writable = storage.ensureWritable(resultsBucket, { afresh: looksAtAws(desk) })
  await Promise.all([gemini.ready(), writable]).catch(async (error: unknown) => {
    throw await report(desk, error, { modelId, begunAt })
  })
}

async function call(desk: Desk, plan: Plan, material: Material, brought: Brought): Promise<RawReply> {
  const { claim, gemini, now, deadlineAt } = desk
  const begunAt = now()
  const end = (outcome: string) => {
    const at = new Date(begunAt).toISOString()
    record(claim, { attempt: claim.calls, at, ms: now() - begunAt, outcome, model: plan.modelId, ...toAsks(plan) })
  }
  const question = buildQuestion(plan, brought)
  // Reckoned last: what AWS took for the steps before is no longer there for the call.
  const timeoutMs = deadlineAt - now() - SAVE_NEEDS_MS
  let reply: RawReply | undefined
  try {
    reply = await gemini.generate(question, { timeoutMs })
    await keep(desk, claim.calls, reply.text, plan.job.session ? '365-days' : '30-days')
  } catch (error) {
    const outcome = reply ? LOST : error instanceof EditError ? error.code : 'ERR_INTERNAL'
    end(outcome)
    if (error instanceof EditError && error.code === 'ERR_GEMINI_FILE_LOST') await material.forgetFiles(error.message)
    await settle(desk, claim.hold, usdOf(desk, plan, reply, outcome)).catch(() => undefined)
    throw await report(desk, error, { modelId: plan.modelId, begunAt })
  }
  end('reply')
  await openGates(desk, 'answered').catch(() => undefined)
  return reply
}

/** What a call that failed has cost: a lost reply its price, one that may be billed what was set aside, any other nothing. */
function usdOf(desk: Desk, plan: Plan, reply: RawReply | undefined, outcome: string): number {
  if (reply) return judge(desk, plan, desk.claim.calls, reply.json, 'now').usd
  return mayBeBilled(outcome) ? (desk.claim.hold?.microUsd ?? 0) / 1e6 : 0
}
