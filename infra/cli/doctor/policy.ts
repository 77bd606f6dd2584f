import { z } from 'zod'
import { readSettings, type Settings } from '../../../lib/config.ts'
import { EditError } from '../../../lib/errors.ts'
import { describeFaults } from '../../../lib/job.ts'
import { DEFAULT_MODEL, resolveModel } from '../../../lib/models.ts'
import { parseRecipe } from '../../../lib/recipes.ts'
import { type Findings, fault, note, well } from './finding.ts'

/** What `settings.json` says, as far as it can be read, and the findings on it. */
export function checkSettings(text = '{}'): { findings: Findings; settings: Settings } {
  const todo = 'correct settings.json in the recipes bucket: the README has its fields'
  const means = 'the last good one is in force, and a function that starts anew lets its jobs wait'
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return { findings: [fault('settings.json is no JSON', means, todo)], settings: readSettings({}) }
  }
  try {
    const settings = readSettings(json)
    return { findings: [checkBudget(settings)], settings }
  } catch (error) {
    const what = error instanceof z.ZodError ? describeFaults(error) : String(error)
    return { findings: [fault(`settings.json is faulty: ${what}`, means, todo)], settings: readSettings({}) }
  }
}

function checkBudget({ budgets: { all } }: Settings) {
  const todo = 'put { "dailyBudgetUsd": 25 } into settings.json of the recipes bucket'
  if (all === undefined) return fault('no daily budget is set', 'nothing bounds what a mistake may cost', todo)
  if (all === 0) return note('the daily budget is $0', 'every job waits', todo)
  return well(`the daily budget is $${all}`)
}

/** Whether each recipe can be read, and its model runs. Also says which models all of them, and jobs without one, ask for. */
export function checkRecipes(
  recipes: ReadonlyMap<string, string>,
  { catalogue, defaultModel = DEFAULT_MODEL }: Settings,
  today = new Date().toISOString().slice(0, 10),
): { findings: Findings; models: string[] } {
  const models = new Set<string>()
  const look = (where: string, requested: string): Findings => {
    const { id, warnings } = resolveModel(requested, catalogue, today)
    models.add(id)
    return warnings.map(warning =>
      note(`${where} asks for ${requested}`, warning, `write ${id}, or another live model`),
    )
  }
  const findings = [
    ...guard('settings.json', () => look('settings.json', defaultModel)),
    ...[...recipes].flatMap(([name, text]) =>
      guard(name, () => {
        const { model } = parseRecipe(text, name.replace(/\.json$/, ''))
        return model === undefined ? [] : look(name, model)
      }),
    ),
  ]
  const good = well(`${recipes.size} recipes can be read, and ask for no model that is gone`)
  return { findings: findings.length > 0 ? findings : [good], models: [...models] }
}

function guard(name: string, look: () => Findings): Findings {
  try {
    return look()
  } catch (error) {
    if (!(error instanceof EditError)) throw error
    return [fault(error.message, `jobs of ${name} end as failed, with ${error.code}`, `correct ${name}`)]
  }
}
