import { setTimeout as sleepFor } from 'node:timers/promises'
import type { Budget, Budgets, Hold } from './aws/budgets.ts'
import type { Claim } from './aws/claim.ts'
import { type Gates, PROBE_MS } from './aws/gates.ts'
import type { Pace } from './aws/pace.ts'
import type { Settings } from './config.ts'
import { estimateCost, type Lane, searchCostOf } from './cost.ts'
import { type Code, EditError } from './errors.ts'
import { groundingWish } from './grounding.ts'
import type { Log } from './log.ts'
import { untilMidnightPacific } from './pacific-day.ts'
import type { Plan } from './plan.ts'
import { lookAgainMs } from './retry.ts'

/** What all functions share and no job may pass alone. */
export type Limits = { gates: Gates; pace: Pace; budgets: Budgets }

/** All that it takes to decide whether a claimed job may call now. */
export type Applicant = Limits & {
  claim: Claim
  settings: Settings
  recipe?: string
  /** Closed gates that this job looks through, from the moment it may. */
  probes: string[]
  /** When Lambda ends the function, and when others may take its claim over, in epoch milliseconds. */
  deadlineAt: number
  leaseUntil: number
  now: () => number
  log: Pick<Log, 'info' | 'warn' | 'error'>
}

/** No slot is waited for longer inside a function: a sleeper takes another job's place. */
const LONGEST_SLEEP_MS = 30_000
/** A job comes back this much before its slot, for queues and cold starts; it sleeps away the rest. */
const LEAD_MS = 10_000
/** A slot that passed longer ago is given up: late comers together would be a burst. The pace's headroom takes what is less. */
const LATE_MS = 3000
const MICRO = 1e6

const GEMINI = 'gemini'
const AWS = 'aws'
const modelGate = (modelId: string) => `${GEMINI}/${modelId}`

/**
 * Which gate a fault closes. Every function has the same key, project and role, so what one of them is refused all are; a quota
 * is a model's own.
 */
const GATE_OF: Partial<Record<Code, (modelId: string) => string>> = {
  ERR_GEMINI_KEY: () => GEMINI,
  ERR_GEMINI_ACCOUNT: () => GEMINI,
  ERR_GEMINI_QUOTA_NONE: modelGate,
  ERR_GEMINI_QUOTA_DAY: modelGate,
  ERR_AWS_FORBIDDEN: () => AWS,
}

/**
 * What stands before a call, the cheap and final first, so that nobody takes a slot or a turn who can't use it:
 *
 *   budget has room? ─▶ gates open? ─▶ slot near? ─▶ (inputs) ─▶ sleep to the slot ─▶ budget reserved ─▶ call
 *
 * Where the answer is no the job waits: `ERR_BUDGET_SPENT`, the fault that closed the gate, `ERR_GEMINI_PACE`. Resolves to the
 * slot, where the model has a pace.
 */
export async function admit(applicant: Applicant, plan: Plan): Promise<number | undefined> {
  const { budgets, now, probes } = applicant
  const microUsd = estimateOf(plan, 'now')
  const spent = await budgets.findSpent(budgetsOf(applicant), microUsd)
  if (spent) throw toBudgetSpent(applicant, microUsd, spent)
  await passGates(applicant, plan)
  // One look a minute does not crowd the pace; a look that had to wait for a slot would look at nothing.
  if (probes.length > 0) return undefined
  const slotAt = await findSlot(applicant, plan)
  if (slotAt === undefined || slotAt - now() <= LONGEST_SLEEP_MS) return slotAt
  const { requestsPerMinute } = plan.model
  throw new EditError(
    'ERR_GEMINI_PACE',
    `${plan.modelId} takes ${requestsPerMinute} calls a minute, and this job's turn is at ${new Date(slotAt).toISOString()}`,
    { retryAfterMs: slotAt - LEAD_MS - now(), isSpread: true },
  )
}

/** Sleeps until the job's slot, and looks at the gates again if that took time. */
export async function comeToSlot(applicant: Applicant, plan: Plan, slotAt: number | undefined): Promise<void> {
  const sleepMs = (slotAt ?? 0) - applicant.now()
  if (sleepMs > 0) {
    await sleepFor(sleepMs)
    await passGates(applicant, plan)
  }
  applicant.claim.slot = undefined
}

/** Sets the price of a call, or of a batch's line, aside in every budget that it spends; `undefined` where there is no budget. */
export async function reserve(applicant: Applicant, plan: Plan, lane: Lane): Promise<Hold | undefined> {
  const { claim, budgets, leaseUntil: until } = applicant
  const wanted = budgetsOf(applicant)
  if (wanted.length === 0) return undefined
  const key = `${claim.id}#${claim.number}#${claim.calls + 1}`
  const microUsd = estimateOf(plan, lane)
  const held = await budgets.reserve(wanted, { key, microUsd, until })
  if ('limitMicroUsd' in held) throw toBudgetSpent(applicant, microUsd, held)
  return held
}

/** Puts what a call cost in the place of what it had set aside. */
export async function settle({ budgets }: Applicant, hold: Hold | undefined, usd: number): Promise<void> {
  if (hold) await budgets.settle(hold, Math.ceil(usd * MICRO))
}

async function passGates(applicant: Applicant, plan: Plan): Promise<void> {
  const { gates, claim, probes } = applicant
  const ahead = [AWS, GEMINI, modelGate(plan.modelId)].filter(gate => !probes.includes(gate))
  probes.push(...(await gates.enter(ahead, claim.firstSeenAt)))
}

/** The slot that the job came back for, or a new one. */
async function findSlot({ claim, pace, now }: Applicant, { model, modelId }: Plan): Promise<number | undefined> {
  if (model.requestsPerMinute === undefined) return undefined
  const kept = claim.slot
  const isGood = kept?.model === modelId && kept.at + LATE_MS >= now()
  claim.slot = isGood ? kept : { model: modelId, at: await pace.takeSlot(modelId, model.requestsPerMinute) }
  return claim.slot?.at
}

function budgetsOf({ settings: { budgets }, recipe }: Applicant): Budget[] {
  const { all, recipes } = budgets
  const own = recipe !== undefined && Object.hasOwn(recipes, recipe) ? recipes[recipe] : undefined
  return [
    ...(own === undefined ? [] : [{ name: `recipe/${recipe}`, limitMicroUsd: Math.floor(own * MICRO) }]),
    ...(all === undefined ? [] : [{ name: 'all', limitMicroUsd: Math.floor(all * MICRO) }]),
  ]
}

/** Web queries that a grounded call has room for; what it really asked is settled afterwards. */
const QUERIES = 3

/** The lane is that of the call: a job that no batch answered wishes for the one and goes by the other. */
function estimateOf({ job, model, prompt, words }: Plan, lane: Lane): number {
  const { imageConfig, inputs } = job
  const promptBytes = Buffer.byteLength(prompt) + Buffer.byteLength(job.systemInstruction ?? '')
  const callUsd = estimateCost(model, { inputs: inputs.length, promptBytes, imageSize: imageConfig?.imageSize, lane })
  const looksUp = (words ? words.wish : groundingWish(job)) !== undefined
  return Math.ceil((callUsd + searchCostOf(looksUp ? QUERIES : 0)) * MICRO)
}

type Room = { name: string; limitMicroUsd: number; committedMicroUsd: number; isNew: boolean }

function toBudgetSpent(
  applicant: Applicant,
  microUsd: number,
  { name, limitMicroUsd, committedMicroUsd, isNew }: Room,
) {
  const { log, now, claim } = applicant
  const [limitUsd, committedUsd, neededUsd] = [limitMicroUsd, committedMicroUsd, microUsd].map(m => m / MICRO)
  if (isNew) log.warn('budget spent', { budget: name, limitUsd, committedUsd, code: 'ERR_BUDGET_SPENT' })
  const lookMs = lookAgainMs(now() - claim.firstSeenAt)
  const turnMs = untilMidnightPacific(now())
  // Looked at again long before the day turns: somebody may raise the budget. When it turns, not all come at once.
  const retryAfterMs = lookMs < turnMs ? lookMs : turnMs + Math.random() * lookMs
  const message = `the day's budget ${name} has $${committedUsd} of $${limitUsd} committed, and this call may cost $${neededUsd}`
  return new EditError('ERR_BUDGET_SPENT', message, { retryAfterMs: Math.ceil(retryAfterMs), isSpread: true })
}

/**
 * Closes the gate that a fault shuts for all functions, says so as an error once, and returns the fault with the job's own time to
 * come again. A fault that closes no gate is returned as it is.
 */
export async function report(
  { gates, now, log, claim, probes }: Pick<Applicant, 'gates' | 'now' | 'log' | 'claim' | 'probes'>,
  fault: unknown,
  call: { modelId: string; begunAt: number },
): Promise<unknown> {
  // A spread wait was thrown by a gate itself.
  if (!(fault instanceof EditError) || fault.isSpread) return fault
  const { code, message, remedy } = fault
  const gate = GATE_OF[code]?.(call.modelId)
  if (gate === undefined) return fault
  const nextLookAt = now() + (code === 'ERR_GEMINI_QUOTA_DAY' ? untilMidnightPacific(now()) : PROBE_MS)
  const fields = { gate, job: claim.id, code, remedy, reason: message }
  try {
    const closed = await gates.close(gate, { code, reason: message, begunAt: call.begunAt, nextLookAt })
    if (closed.isNew) log[remedy === 'repair' ? 'error' : 'warn']('gate closed', fields)
    const looks = closed.isNew || probes.includes(gate)
    const untilLookMs = Math.max(0, closed.nextLookAt - now())
    const retryAfterMs = untilLookMs + (looks ? 0 : lookAgainMs(now() - claim.firstSeenAt))
    return new EditError(code, message, { cause: fault, retryAfterMs, isSpread: true })
  } catch (error) {
    log.error('gate could not be closed', { ...fields, error })
    return fault
  }
}

/** Whether the job is the one that looks if AWS still refuses what it refused, so that nothing known of AWS counts. */
export function looksAtAws({ probes }: Applicant): boolean {
  return probes.includes(AWS)
}

/** Opens the gates that the job looked through: those of Gemini when it `answered`, that of AWS when the job is `over`. */
export async function openGates({ gates, log, probes }: Applicant, when: 'answered' | 'over'): Promise<void> {
  for (const gate of probes.filter(name => (name === AWS) === (when === 'over'))) {
    if (await gates.open(gate)) log.info('gate opened', { gate })
  }
}
