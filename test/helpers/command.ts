import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { region } from '../../infra/local/template.ts'

const project = join(import.meta.dirname, '../..')

export type Ended = { code: number | null; out: string; err: string }

/** A script of this project as an operator runs it, in a shell that knows nothing but `env` and credentials. */
export async function runScript(
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  const shell = { AWS_REGION: region, AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' }
  const child = spawn(process.execPath, [join(project, file), ...args], {
    env: { PATH: process.env.PATH, ...shell, ...env },
  })
  let [out, err] = ['', '']
  child.stdout.on('data', data => (out += data))
  child.stderr.on('data', data => (err += data))
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  return { code, out, err }
}

/** The `darkroom` command. */
export const runDarkroom = (args: readonly string[], env?: Record<string, string>) =>
  runScript('infra/cli/darkroom.ts', args, env)
