import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Stack } from '../local/stack.ts'
import { region } from '../local/template.ts'

/** What commands need of the functions' environment; a key is not among it. */
const SHARED = /^AWS_ENDPOINT_URL|^GOOGLE_GEMINI_BASE_URL$|_(?:BUCKET|QUEUE_URL|TABLE|TOPIC_ARN)$/

/** Writes what a shell must know to reach the local stack, to be read with `source`. Returns the file. */
export function writeShellFile({ env, stateFolder }: Stack): string {
  const values = {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    ...Object.fromEntries(Object.entries(env).filter(([name]) => SHARED.test(name))),
  }
  const lines = Object.entries(values).map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`)
  const file = join(stateFolder, 'env')
  // A profile or a session of the real account would be believed before these.
  writeFileSync(file, ['unset AWS_PROFILE AWS_SESSION_TOKEN', ...lines, ''].join('\n'))
  return file
}
