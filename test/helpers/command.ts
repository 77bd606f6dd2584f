import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { region } from '../../infra/local/template.ts'

const project = join(import.meta.dirname, '../..')

export type Ended = { code: number; out: string; err: string }

/** Runs a script of this project as an operator would, with nothing of this machine's environment but the path, and its end. */
export async function runScript(script: string, args: string[], env: Record<string, string> = {}): Promise<Ended> {
  // A profile of whoever runs the tests must not lead to an account.
  const alone = {
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
  const options = { cwd: project, env: { PATH: process.env.PATH ?? '', ...alone, ...env } }
  const child = spawn(process.execPath, [join(project, script), ...args], options)
  const texts = { out: '', err: '' }
  child.stdout.on('data', chunk => (texts.out += chunk))
  child.stderr.on('data', chunk => (texts.err += chunk))
  const [code] = (await once(child, 'close')) as [number]
  return { code, ...texts }
}

/** The `darkroom` command, with the local stack's region and credentials. */
export function runDarkroom(args: string[], env?: Record<string, string>): Promise<Ended> {
  const local = { AWS_REGION: region, AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' }
  return runScript('infra/cli/darkroom.ts', args, { ...local, ...env })
}
