import { readArguments } from '../cli/command.ts'
import type { Target } from './stack.ts'

/** `--stage X --region Y --param a=b …` of a command, with what `serverless.yml` has where they are missing. */
export function readTarget(args: string[], flags: readonly string[] = []) {
  const options = {
    stage: { type: 'string' as const, default: 'dev' },
    region: { type: 'string' as const, default: process.env.AWS_REGION ?? 'us-east-1' },
    param: { type: 'string' as const, multiple: true, default: [] as string[] },
  }
  const more = Object.fromEntries(flags.map(name => [name, { type: 'boolean' as const, default: false }]))
  const { values } = readArguments({ args, options: { ...options, ...more } })
  const target: Target = { stage: String(values.stage), region: String(values.region) }
  const isSet = (flag: string) => (values as Record<string, unknown>)[flag] === true
  return { ...target, params: values.param as string[], isSet }
}
