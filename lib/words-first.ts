import { askForWords, type Desk } from './calls.ts'
import type { Settings } from './config.ts'
import type { Job } from './job.ts'
import type { Material } from './material.ts'
import { isoDay, makePlan, planOpenWords } from './plan.ts'
import { readKept } from './replies.ts'
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
