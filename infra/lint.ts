/** Runs Biome over the project; `--write` mends what it can. Where no binary is installed it says so and goes on. */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const binary = findBinary()
if (!binary) {
  console.warn(`lint was skipped: there is no Biome for ${process.platform}-${process.arch} here`)
} else {
  const { status } = spawnSync(binary, ['check', '--error-on-warnings', ...process.argv.slice(2), '.'], {
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
}

function findBinary(): string | undefined {
  try {
    return require.resolve(`@biomejs/cli-${process.platform}-${process.arch}/biome`)
  } catch {
    return undefined
  }
}
