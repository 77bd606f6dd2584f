import { existsSync } from 'node:fs'
import { checkPackage, checkTemplate, RULES } from '../../checks/rules.ts'
import { at, ofType, type Packaged, readPackaged } from '../../checks/template.ts'
import { PACKAGE_FOLDER } from '../../deploy/package.ts'
import { type Findings, fault, well } from './finding.ts'

/** What would be deployed, held against the rules. */
export function checkPackaged(folder = PACKAGE_FOLDER): { findings: Findings; template?: Packaged } {
  if (!existsSync(folder))
    return { findings: [fault('nothing is packaged', 'the template can’t be looked at', 'run npm run package')] }
  const todo = 'mend it in infra/resources or serverless.yml, and package again'
  return { findings: toFindings(checkPackage(folder), todo), template: readPackaged(folder) }
}

/** What is deployed, held against the rules of this version. */
export function checkDeployed(template: Packaged, stage: string): Findings {
  return toFindings(checkTemplate(template), `npm run deploy -- --stage ${stage} mends what an older version left`)
}

function toFindings(faults: readonly string[], todo: string): Findings {
  const good = `the template keeps its ${Object.keys(RULES).length} rules: buckets apart, a role a function, nothing public`
  if (faults.length === 0) return [well(good)]
  return faults.map(it => fault(it, 'the rule is in infra/checks', todo))
}

/** Whether each schedule rings in a time zone that exists, and counts its days in the same one. */
export function checkZones(template: Packaged): Findings {
  return ofType(template, 'AWS::Scheduler::Schedule').map(([, properties]) => {
    const zone = String(properties.ScheduleExpressionTimezone ?? 'UTC')
    const inner = readZone(String(at(properties, 'Target', 'Input') ?? '{}')) ?? zone
    const what = `schedule ${properties.Name} rings in ${zone} and counts its days in ${inner}`
    const todo = 'write one and the same name of the IANA list into timezone and input.timeZone'
    if (![zone, inner].every(isTimeZone)) return fault(what, 'there is no such time zone: nothing is made', todo)
    if (zone !== inner) return fault(what, 'a graphic may be of the day before or after', todo)
    return well(what)
  })
}

function readZone(input: string): string | undefined {
  const { timeZone } = JSON.parse(input) as { timeZone?: unknown }
  return typeof timeZone === 'string' ? timeZone : undefined
}

function isTimeZone(timeZone: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone }))
  } catch {
    return false
  }
}
