import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ofType, readPackaged } from '../infra/checks/template.ts'
import { OPERATIONS_PAGE, renderCosts } from '../infra/costs.ts'
import { PACKAGE_FOLDER } from '../infra/deploy/package.ts'

const page = readFileSync(OPERATIONS_PAGE, 'utf8')
const template = readPackaged(PACKAGE_FOLDER)

test('the operations page has a row for each alarm, and none for an alarm that is not there', () => {
  const alarms = ofType(template, 'AWS::CloudWatch::Alarm').map(([id]) => id)
  const rows = [...page.matchAll(/^\| `(\w+Alarm)` \|/gm)].map(match => match[1])
  expect(rows.toSorted()).toEqual(alarms.toSorted())
})

test('the cost tables are those of the catalogue and the template (else: npm run readme)', () => {
  expect(renderCosts(page, template, '2026-11-21')).toBe(page)
})
