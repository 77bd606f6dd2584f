import type { Settings } from './config.ts'
import { EditError } from './errors.ts'
import type { Job } from './job.ts'
import { checkLimits } from './limits.ts'
import { type Catalogue, DEFAULT_MODEL, type Model, nearestRatio, resolveModel } from './models.ts'
import { buildPrompt, checkInputs, PROMPTS } from './prompts.ts'
import type { InputFacts } from './result.ts'
import { lacksWords, toCatalogueRow, toWordsAsk, type WordsAsk } from './words.ts'

/** A job that has been held against every table: what will be asked of which model. */
export type Plan = {
  job: Job
  prompt: string
  requested: string
  modelId: string
  model: Model
  warnings: string[]
  /** Set where a text model is asked for words, and not for a picture. */
  words?: WordsAsk
  /** The pixels of the picture that a session's turn goes on from. */
  base?: { width: number; height: number }
}

/** The day as plans know it. */
export function isoDay(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

/** Refuses what can be refused before a byte is read or a cent is spent. `today` is YYYY-MM-DD. */
export function makePlan(job: Job, settings: Settings, today: string): Plan {
  refuseInBatch(job)
  const prompt = buildPrompt(job)
  // A turn may go on from the last picture; how many inputs it has is known when its turn has come.
  if (job.session === undefined) checkInputs(job.operation, job.inputs.length)
  const requested = job.model ?? settings.defaultModel ?? DEFAULT_MODEL
  const { id, model, warnings } = resolveModel(requested, settings.catalogue, today)
  return { job, prompt, requested, modelId: id, model, warnings: [...warnings, ...checkLimits(id, model, job)] }
}

/** A plan that asks for words. */
export type WordsPlan = Plan & { words: WordsAsk }

/** The question for words that a job's operation has, as settings.json names who answers it. */
export function planWords(job: Job, { textModel }: Settings): WordsPlan | undefined {
  const words = textModel && toWordsAsk(job, textModel)
  if (!textModel || !words) return undefined
  const { id } = textModel
  return {
    job,
    prompt: words.prompt,
    requested: id,
    modelId: id,
    model: toCatalogueRow(textModel),
    warnings: [],
    words,
  }
}

/** `planWords` for a job that leaves its words open; `ERR_JOB_LANE` where they can't be written first. */
export function planOpenWords(job: Job, settings: Settings): WordsPlan | undefined {
  const plan = planWords(job, settings)
  if (!plan || !lacksWords(job, plan.words)) return undefined
  if (job.lane === 'now') return plan
  const message = 'a text model has to write its words first, and a batch asks once; bring the words in their slot'
  throw new EditError('ERR_JOB_LANE', `${job.operation}: ${message}, or send it with lane: now`)
}

/** The same job on the model that follows one that Google no longer serves. */
export function replan(plan: Plan, next: { id: string; model: Model; warnings: string[] }): Plan {
  const limits = checkLimits(next.id, next.model, plan.job)
  return { ...plan, modelId: next.id, model: next.model, warnings: [...plan.warnings, ...next.warnings, ...limits] }
}

function refuseInBatch(job: Job): void {
  if (job.session !== undefined && job.lane === 'batch') {
    const message = `session ${job.session} can't go through the batch lane: each turn needs the answer to the one before`
    throw new EditError('ERR_JOB_SESSION_BATCH', message)
  }
}

/**
 * An edit that names no ratio keeps that of the picture that it goes on from, or of its first input as people see it: phones store photos turned, with the turn in
 * the metadata, and a model that overlooks it would answer with the wrong format.
 */
export function settleRatio(plan: Plan, inputs: readonly InputFacts[]): Plan {
  const { job, model } = plan
  const first = plan.base ?? inputs[0]
  if (!first || plan.words || job.imageConfig?.aspectRatio || PROMPTS[job.operation].does !== 'edit') return plan
  const aspectRatio = nearestRatio(model, first.width, first.height)
  return { ...plan, job: { ...job, imageConfig: { ...job.imageConfig, aspectRatio } } }
}

/** The model whose prices hold for a reply: the one that answered, which need not be the one that was asked. */
export function answeringModel(plan: Plan, catalogue: Catalogue, version: string | undefined): Model {
  return (version !== undefined && Object.hasOwn(catalogue, version) ? catalogue[version] : undefined) ?? plan.model
}
