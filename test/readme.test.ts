import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { README, renderReadme } from '../infra/readme.ts'
import { ERRORS } from '../lib/errors.ts'

const readme = readFileSync(README, 'utf8')

test('the tables of the README are those of the code (else: npm run readme)', () => {
  expect(renderReadme(readme)).toBe(readme)
})

test('"When it fails" has a row for each code', () => {
  for (const code of Object.keys(ERRORS)) expect(readme).toContain(`| \`${code}\` |`)
})
