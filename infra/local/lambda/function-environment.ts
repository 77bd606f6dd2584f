import { basename, dirname, extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../clock.ts'
import { accountId, region } from '../template.ts'

/** A function that the host can run. */
export type FunctionOptions = {
  name: string
  /** The file that exports `handler`. */
  file: string
  timeoutMs: number
  memoryMb: number
  /** How many processes it may have; more invocations than that wait. */
  maximumEnvironments: number
}

// Halves a start: the bundle is compiled, and these .ts files are stripped, once for all processes.
const compileCache = fileURLToPath(new URL('../../../node_modules/.cache/darkroom', import.meta.url))

export function toFunctionArn(name: string): string {
  return `arn:aws:lambda:${region}:${accountId}:function:${name}`
}

/** The process environment as Lambda sets it, with nothing of the machine's own in it. */
export function buildFunctionEnvironment(
  { name, file, memoryMb }: FunctionOptions,
  environmentId: string,
  env: Record<string, string>,
  clock: Clock,
): Record<string, string> {
  return {
    ...env,
    _HANDLER: `${basename(file, extname(file))}.handler`,
    LAMBDA_TASK_ROOT: dirname(file),
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: environmentId,
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    // Whose call it is can be told by it.
    AWS_ACCESS_KEY_ID: `local-${name}`,
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_SESSION_TOKEN: 'local',
    // Whoever runs this may have an account: its profile must not leak in.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    NODE_COMPILE_CACHE: compileCache,
    LANG: 'en_US.UTF-8',
    PATH: '/usr/local/bin:/usr/bin:/bin',
    TZ: ':UTC',
    ...(clock.isReal ? {} : { LOCAL_CLOCK: JSON.stringify({ factor: clock.factor, start: clock.start }) }),
  }
}
