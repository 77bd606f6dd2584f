import { describe, expect, test } from 'vitest'
import { runScript } from '../helpers/command.ts'

const CLI = 'infra/cli/darkroom.ts'
const SCRIPTS: [string, string[]][] = [
  [CLI, ['batch', 'list']],
  [CLI, ['dead', 'list']],
  [CLI, ['doctor']],
  [CLI, ['webhook', 'register', 'https://example.org']],
  ['infra/cli/demo.ts', []],
  ['infra/cli/dev.ts', []],
  ['infra/deploy/package.ts', []],
  ['infra/deploy/deploy.ts', []],
  ['infra/deploy/remove.ts', []],
]

describe('every command that is given an option it does not know', { concurrent: true, timeout: 60_000 }, () => {
  test.each(SCRIPTS)('%s %j names it, helps, and does nothing', async (file, args) => {
    const { code, out, err } = await runScript(file, [...args, '--bogus'])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(/^Unknown option '--bogus'/)
    expect(err).toMatch(/\n\n(darkroom|npm run) /)
    expect(err).not.toMatch(/ at .*:\d+:\d+/)
  })
})

describe('a command that is asked for help', { concurrent: true, timeout: 60_000 }, () => {
  test.each([...SCRIPTS.slice(0, 1), ...SCRIPTS.slice(-5)])('%s %j gives it, and does nothing', async (file, args) => {
    const { code, out, err } = await runScript(file, [...args, '--help'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^(darkroom|npm run) /)
  })
})
