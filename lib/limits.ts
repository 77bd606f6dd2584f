import { EditError } from './errors.ts'
import { groundingWish } from './grounding.ts'
import type { Job } from './job.ts'
import type { Model } from './models.ts'
import { PROMPTS, type PromptRow } from './prompts.ts'

type Limit = { of: string; wish: (job: Job) => string | undefined; takes: (model: Model) => readonly string[] }

const LIMITS: readonly Limit[] = [
  { of: 'imageSize', wish: job => job.imageConfig?.imageSize, takes: model => model.sizes },
  { of: 'aspectRatio', wish: job => job.imageConfig?.aspectRatio, takes: model => model.ratios },
  { of: 'thinkingLevel', wish: job => job.thinkingConfig?.thinkingLevel, takes: model => model.thinkingLevels },
  {
    of: 'grounding',
    wish: job => (groundingWish(job)?.images ? 'images' : undefined),
    takes: model => model.grounding,
  },
  { of: 'grounding', wish: job => (groundingWish(job)?.web ? 'web' : undefined), takes: model => model.grounding },
]

/** Holds a job against its model before anything is spent: `ERR_MODEL_OPTION` or `ERR_JOB_INPUTS` naming what the model takes. Returns warnings. */
export function checkLimits(id: string, model: Model, job: Job): string[] {
  const faults = LIMITS.flatMap(({ of, wish, takes }) => {
    const wished = wish(job)
    if (wished === undefined || takes(model).includes(wished)) return []
    const choice = takes(model).join(', ')
    const refusal = choice ? `${of} ${wished} is not one of ${choice}` : `${of} can't be chosen`
    return [of === 'grounding' ? refusal + adviceFor(job) : refusal]
  })
  if (job.thinkingConfig?.includeThoughts && !model.thinks) faults.push('it has no thoughts to include')
  if (faults.length > 0) throw new EditError('ERR_MODEL_OPTION', `model ${id}: ${faults.join('; ')}`)
  checkReferences(id, model, job)
  const { best } = model.references
  return best !== undefined && job.inputs.length > best
    ? [`model ${id} works best with up to ${best} inputs, got ${job.inputs.length}`]
    : []
}

/** Who asked for no grounding and is refused it should learn where the wish came from. */
function adviceFor({ operation, grounding }: Job): string {
  const { looksUp }: PromptRow = PROMPTS[operation]
  return looksUp && !grounding ? ` (${operation} looks up what the job doesn't bring in slot ${looksUp.slot})` : ''
}

function checkReferences(id: string, { references }: Model, job: Job): void {
  const counts = {
    inputs: [job.inputs.length, references.most],
    objects: [job.inputs.filter(input => input.role === 'object').length, references.object],
    characters: [job.inputs.filter(input => input.role === 'character').length, references.character],
  } as const
  const faults = Object.entries(counts).flatMap(([what, [count, most]]) =>
    most !== undefined && count > most ? [`${count} ${what}, it takes ${most}`] : [],
  )
  if (faults.length > 0) throw new EditError('ERR_JOB_INPUTS', `model ${id}: ${faults.join('; ')}`)
}
