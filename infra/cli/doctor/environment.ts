import { readConfig } from '../../../lib/config.ts'
import { EditError } from '../../../lib/errors.ts'
import { type Findings, fault, well } from './finding.ts'

/** Whether a function would start with this environment: everything there, the buckets apart, the key not in it. */
export function checkEnvironment(
  env: Record<string, string | undefined>,
  stage: string,
): { findings: Findings; keyParameter?: string } {
  const todo = `npm run deploy -- --stage ${stage}`
  try {
    const { buckets, gemini } = readConfig(env)
    const apart = well(`the buckets are apart: ${Object.values(buckets).join(', ')}`)
    const means = 'whoever may look at the function can read it'
    const open = gemini.apiKey ? [fault('the key stands in the functions’ environment', means, todo)] : []
    return { findings: [apart, ...open], keyParameter: gemini.apiKey ? undefined : gemini.apiKeyParameter }
  } catch (error) {
    if (!(error instanceof EditError)) throw error
    return { findings: [fault(error.message, 'no function starts, and messages wait in their queues', todo)] }
  }
}
