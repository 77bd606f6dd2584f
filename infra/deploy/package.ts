/**
 * `npm run package`: the functions as built and the CloudFormation template, in `dist/package`. Needs no network and no account.
 * Twice the same source gives twice the same bytes.
 */
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readArguments } from '../cli/command.ts'
import { run } from '../cli/run.ts'
import { Refusal } from './refusal.ts'

const HELP = `npm run package -- [--quiet]

Writes the functions' artifacts and the CloudFormation template of stage dev into dist/package, without network or account.`

export const PACKAGE_FOLDER = join(import.meta.dirname, '../../dist/package')
const project = join(import.meta.dirname, '../..')
const execute = promisify(execFile)

export type PackageOptions = {
  stage?: string
  region?: string
  /** Parameters of `serverless.yml`, as `name=value`. */
  params?: readonly string[]
  /** @default dist/package */
  folder?: string
  /**
   * When it was packaged, in epoch milliseconds: it names the artifacts' folder in the deployment bucket. A deployment
   * needs a new one each time, or CloudFormation does not see that a function changed.
   * @default 0
   */
  at?: number
}

/** Runs `osls package` on what `npm run build` left in `dist/functions`. */
export async function packageService(options: PackageOptions = {}): Promise<string> {
  const { stage = 'dev', region, params = [], folder = PACKAGE_FOLDER, at = 0 } = options
  await rm(folder, { recursive: true, force: true })
  const flags = ['--stage', stage, ...(region ? ['--region', region] : []), ...params.flatMap(it => ['--param', it])]
  await runOsls(['package', '--package', folder, ...flags], withoutAccount(process.env))
  await settleFiles(folder, at)
  return folder
}

/** Runs osls from this project's packages; throws with what it printed. */
export async function runOsls(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const osls = createRequire(import.meta.url).resolve('osls/bin/serverless.js')
  // Neither asks the network for a newer version nor says what it does to anybody.
  const quiet = {
    SLS_NOTIFICATIONS_MODE: 'off',
    SLS_TELEMETRY_DISABLED: '1',
    SLS_INTERACTIVE_SETUP_ENABLE: '0',
    CI: '1',
  }
  const cwd = await openWorkshop()
  try {
    const { stdout, stderr } = await execute(process.execPath, [osls, ...args], {
      cwd,
      env: { ...env, ...quiet },
      maxBuffer: 16e6,
    })
    return stdout + stderr
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Refusal(`osls ${args[0]} failed:\n${withoutSpinner(stdout + stderr)}`, { cause: error })
  } finally {
    await rm(cwd, { recursive: true })
  }
}

/** osls works in `.serverless` of its folder, so two at once would take each other's files: each gets a folder of its own. */
async function openWorkshop(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-osls-'))
  for (const name of ['infra', 'dist']) await symlink(join(project, name), join(folder, name))
  // A link to it would not be taken for a service.
  await copyFile(join(project, 'serverless.yml'), join(folder, 'serverless.yml'))
  return folder
}

/** osls draws its progress over and over. */
function withoutSpinner(text: string): string {
  return text
    .split('\n')
    .filter(line => !/[\u2800-\u28ff]/.test(line))
    .join('\n')
    .trim()
}

/** A package that read an account would differ from machine to machine. */
function withoutAccount(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('AWS_')))
}

/** osls names the artifacts' folder after the moment of packaging. */
const STAMP = /\b\d{13}-\d{4}-\d\d-\d\dT[\d:.]+Z/g
/** Where osls worked, before the artifacts' names. */
const WORKSHOP = /[^"]*\/(?=\.serverless\/[\w-]+\.zip")/g

/** Takes the moment, the place and the order of osls's own parallel work out of what it wrote. */
async function settleFiles(folder: string, at: number): Promise<void> {
  const stamp = `${String(at).padStart(13, '0')}-${new Date(at).toISOString()}`
  for (const name of (await readdir(folder)).filter(file => file.endsWith('.json'))) {
    const file = join(folder, name)
    const text = (await readFile(file, 'utf8')).replace(STAMP, stamp).replace(WORKSHOP, '')
    const json = JSON.parse(text) as unknown
    await writeFile(file, `${JSON.stringify(json, sortKeys, 2)}\n`)
  }
}

function sortKeys(_: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

async function main(): Promise<number> {
  const { values } = readArguments({ options: { quiet: { type: 'boolean' } } })
  const folder = await packageService()
  if (!values.quiet) console.log(`packaged into ${folder}`)
  return 0
}

if (import.meta.main) await run(HELP, main)
