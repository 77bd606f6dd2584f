/** Runs the faults suite: `npm run test:faults -- [--seed N] [--jobs N] [what else vitest takes]`. The same seed strikes the same calls. */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const options = { seed: { type: 'string' }, jobs: { type: 'string' } } as const
const { values, tokens } = parseArgs({ options, strict: false, tokens: true })
const ours = new Set(Object.keys(options))
const rest = tokens.flatMap(token => {
  if (token.kind === 'positional') return [token.value]
  if (token.kind !== 'option' || ours.has(token.name)) return []
  return [token.rawName, ...(token.value === undefined ? [] : [token.value])]
})
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const config = fileURLToPath(new URL('vitest.config.ts', import.meta.url))
const env = {
  ...process.env,
  ...(values.seed === undefined ? {} : { FAULTS_SEED: String(values.seed) }),
  ...(values.jobs === undefined ? {} : { FAULTS_JOBS: String(values.jobs) }),
}
const { status } = spawnSync(process.execPath, [vitest, 'run', '--config', config, ...rest], { stdio: 'inherit', env })
process.exitCode = status ?? 1
