import { askForWords, type Desk } from './calls.ts'
import type { Settings } from './config.ts'
import { type Grounding, joinGroundings } from './grounding.ts'
import type { Job } from './job.ts'
import type { Material } from './material.ts'
import { isoDay, makePlan, planOpenWords } from './plan.ts'
import { type JudgedReply, readKept } from './replies.ts'
import { fillWords } from './words.ts'

/**
 * The job with the words that it left open: those of a reply that was kept, or those that a text model writes now. From the next
 * call on the ledger has the job with them, so they are paid for once. A job that leaves none open comes back as it is.
 */
export async function writeWords(desk: Desk, job: Job, material: Material): Promise<Job> {
  const plan = planOpenWords(job, desk.settings)
  if (!plan) return job
  refuseEarly(job, desk.settings, isoDay(desk.now()))
  await readKept(desk, plan)
  const { verdict } = await askForWords(desk, plan, material)
  return fillWords(job, plan.words, verdict.phrase)
}

/** What would be refused with its words is refused before they are paid for, or waited for. `today` is YYYY-MM-DD. */
export function refuseEarly(job: Job, settings: Settings, today: string): void {
  const plan = planOpenWords(job, settings)
  makePlan(plan ? fillWords(job, plan.words, 'to be written') : job, settings, today)
}

/** What a picture's words and the picture itself were looked up from, together, and what there is to warn of in the words. */
export function withWordsGrounding(
  replies: readonly JudgedReply[],
  picture: Grounding | undefined,
): { grounding: Grounding | undefined; warnings: string[] } {
  const words = replies.flatMap(({ verdict, grounding }) => ('phrase' in verdict ? [{ verdict, grounding }] : []))
  return {
    grounding: joinGroundings([...words.map(({ grounding }) => grounding), picture]),
    warnings: words.flatMap(({ verdict }) => verdict.warnings),
  }
}
