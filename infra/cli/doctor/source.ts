import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readSettings, SettingsFile } from '../../../lib/config.ts'
import { DEFAULT_MODEL } from '../../../lib/models.ts'
import { checkPackage } from '../../checks/rules.ts'
import { at, ofType, readPackaged } from '../../checks/template.ts'
import { PACKAGE_FOLDER } from '../../deploy/package.ts'

/** One thing that was looked at: what was found, with what it means, and what to do where it is not well. */
export type Finding = { isWell: boolean; what: string; todo: string }
export type Findings = Finding[]

const project = join(import.meta.dirname, '../../..')

/** What can be told without an account: the template, the recipes and the settings, the shipped ones unless others are given. */
export async function checkSource(
  recipes?: ReadonlyMap<string, string>,
  settingsText = '{}',
  folder = PACKAGE_FOLDER,
): Promise<{ findings: Findings; defaultModel: string }> {
  const { findings: settingsFindings, ...settings } = checkSettings(settingsText)
  const template = existsSync(folder) ? readPackaged(folder) : undefined
  const findings = [
    ...(template ? checkTemplateRules(folder) : [toFinding(false, 'nothing is packaged', 'run npm run package')]),
    ...settingsFindings,
    ...checkRecipes(recipes ?? (await readShipped()), settings.catalogue),
    ...(template ? checkZones(template) : []),
    ...(template ? checkPace(template, settings.limit) : []),
  ]
  return { findings, defaultModel: settings.defaultModel }
}

export function toFinding(isWell: boolean, what: string, todo = ''): Finding {
  return { isWell, what, todo }
}

function checkTemplateRules(folder: string): Findings {
  const faults = checkPackage(folder)
  if (faults.length === 0)
    return [
      toFinding(true, 'the template keeps its rules: buckets apart, visibility six times the time-out, own roles'),
    ]
  return faults.map(fault => toFinding(false, fault, 'mend it in infra/resources or serverless.yml and package again'))
}

function checkSettings(text: string) {
  try {
    const file = SettingsFile.parse(JSON.parse(text))
    const { catalogue } = readSettings(file)
    const defaultModel = file.defaultModel ?? DEFAULT_MODEL
    const budget = file.dailyBudgetUsd
    const what =
      budget === undefined
        ? 'no daily budget is set: nothing bounds what a mistake may cost'
        : `the daily budget is $${budget}`
    const limit = catalogue[defaultModel]?.requestsPerMinute
    const findings = [
      toFinding(budget !== undefined, what, 'put { "dailyBudgetUsd": 25 } into settings.json of the recipes bucket'),
    ]
    return { findings, catalogue, defaultModel, limit }
  } catch (error) {
    const what = `settings.json is faulty, so the last good one is in force: ${error instanceof Error ? error.message : error}`
    const { catalogue } = readSettings({})
    return { findings: [toFinding(false, what, 'mend it')], catalogue, defaultModel: DEFAULT_MODEL, limit: undefined }
  }
}

async function readShipped(): Promise<Map<string, string>> {
  const folder = join(project, 'infra/recipes')
  const names = (await readdir(folder)).filter(name => name.endsWith('.json'))
  return new Map(
    await Promise.all(names.map(async name => [name, await readFile(join(folder, name), 'utf8')] as const)),
  )
}

type Catalogue = ReturnType<typeof readSettings>['catalogue']

function checkRecipes(
  recipes: ReadonlyMap<string, string>,
  catalogue: Catalogue,
  today = new Date().toISOString(),
): Findings {
  const retired = [...recipes].flatMap(([name, text]) => {
    const id = readModel(text)
    const model = Object.entries(catalogue).find(
      ([known, { alias }]) => known === id || (alias !== undefined && alias === id),
    )?.[1]
    if (!model?.shutdown || model.shutdown > today.slice(0, 10)) return []
    const what = `${name} asks for ${id}, shut down ${model.shutdown}: ${model.successor} runs instead`
    return [toFinding(false, what, `write ${model.successor} into it`)]
  })
  return retired.length > 0 ? retired : [toFinding(true, `${recipes.size} recipes ask for no model that is gone`)]
}

function readModel(text: string): unknown {
  try {
    return (JSON.parse(text) as { model?: unknown }).model
  } catch {
    return undefined
  }
}

function checkZones(template: ReturnType<typeof readPackaged>): Findings {
  return ofType(template, 'AWS::Scheduler::Schedule').map(([, properties]) => {
    const zone = String(properties.ScheduleExpressionTimezone ?? 'UTC')
    const input = String(at(properties, 'Target', 'Input') ?? '')
    const inner = /"timeZone":"([^"]+)"/.exec(input)?.[1] ?? zone
    const isKnown = [zone, inner].every(name => isTimeZone(name))
    const what = `schedule ${properties.Name} rings in ${zone} and counts its days in ${inner}`
    return toFinding(isKnown && zone === inner, what, 'name one and the same time zone of the IANA list in both')
  })
}

function isTimeZone(timeZone: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone }))
  } catch {
    return false
  }
}

/** Two calls a minute and job: 1K takes half a minute (recorded replies, 2026-11). */
const CALLS_A_MINUTE = 2

function checkPace(template: ReturnType<typeof readPackaged>, limit: number | undefined): Findings {
  const atOnce = ofType(template, 'AWS::Lambda::EventSourceMapping').reduce(
    (sum, [, it]) => sum + Number(it.BatchSize ?? 10) * Number(at(it, 'ScalingConfig', 'MaximumConcurrency') ?? 1000),
    0,
  )
  const most = atOnce * CALLS_A_MINUTE
  const known = limit === undefined ? 'no limit of requests a minute is set' : `the limit is ${limit}`
  const what = `${atOnce} jobs run at once, up to ${most} calls a minute; ${known}`
  const todo = "set models.<id>.requestsPerMinute in settings.json to your tier's, or lower maximumConcurrency"
  return [toFinding(limit !== undefined || most <= 300, what, todo)]
}
