/** Writes the cost tables of `docs/operations.md` from the catalogue and the template: part of `npm run readme`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { estimateCost, type Lane } from '../lib/cost.ts'
import { MODELS } from '../lib/models.ts'
import { at, ofType, type Packaged, readPackaged, toList } from './checks/template.ts'
import { PACKAGE_FOLDER } from './deploy/package.ts'

export const OPERATIONS_PAGE = join(import.meta.dirname, '../docs/operations.md')

/** AWS's list prices in us-east-1, 2026-11. */
const USD_PER_ALARM_METRIC = 0.1
const USD_PER_QUEUE_REQUEST = 0.4e-6
/** Lambda keeps five long polls of 20 seconds open on each queue. */
const POLLS_A_MONTH = 5 * 3 * 60 * 24 * 30

export function renderCosts(text: string, template: Packaged, today: string): string {
  const sections = { idle: renderIdle(template), images: renderImages(today) }
  return Object.entries(sections).reduce(
    (filled, [name, table]) =>
      filled.replace(
        new RegExp(`(<!-- ${name} -->\n).*?(<!-- /${name} -->)`, 's'),
        (_, open: string, close: string) => `${open}${table}\n${close}`,
      ),
    text,
  )
}

function renderIdle(template: Packaged): string {
  const alarms = ofType(template, 'AWS::CloudWatch::Alarm')
  const metrics = alarms.reduce(
    (sum, [, it]) => sum + Math.max(1, toList(it.Metrics).filter(metric => at(metric, 'MetricStat')).length),
    0,
  )
  const queues = ofType(template, 'AWS::Lambda::EventSourceMapping').length
  const rows: [string, number][] = [
    [`${alarms.length} alarms on ${metrics} metrics`, metrics * USD_PER_ALARM_METRIC],
    [`polling ${queues} queues`, queues * POLLS_A_MONTH * USD_PER_QUEUE_REQUEST],
  ]
  const all: [string, number] = ['together', rows.reduce((sum, [, usd]) => sum + usd, 0)]
  return toTable(
    ['what', 'a month'],
    [...rows, all].map(([what, usd]) => [what, `$${usd.toFixed(2)}`]),
  )
}

function renderImages(today: string): string {
  const rows = Object.entries(MODELS)
    .filter(([, { shutdown }]) => !shutdown || shutdown > today)
    .flatMap(([id, model]) =>
      (model.sizes.length > 0 ? model.sizes : (['1K'] as const)).map(imageSize => {
        const price = (lane: Lane) => 1000 * estimateCost(model, { inputs: 1, promptBytes: 600, imageSize, lane })
        return [`\`${id}\``, imageSize, `$${price('now').toFixed(2)}`, `$${price('batch').toFixed(2)}`]
      }),
    )
  return toTable(['model', 'size', 'lane `now`', 'lane `batch`'], rows)
}

function toTable(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

if (import.meta.main) {
  const page = readFileSync(OPERATIONS_PAGE, 'utf8')
  writeFileSync(OPERATIONS_PAGE, renderCosts(page, readPackaged(PACKAGE_FOLDER), '2026-11-21'))
}
