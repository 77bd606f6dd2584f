import { readArguments } from './command.ts'
import { checkAccount } from './doctor/account.ts'
import { checkGoogle } from './doctor/google.ts'
import { checkSource, type Findings } from './doctor/source.ts'

/** `darkroom doctor`: what it found, what that means and what to do. Costs nothing. Resolves to 1 where something must be mended. */
export const DOCTOR = {
  about: 'looks whether Darkroom can work: key, models, recipes, settings, and a deployed stack',
  help: `darkroom doctor [--stage <stage>] [--region <region>]

Without a stage it looks at what would be deployed, with one also at what is. The key is GEMINI_API_KEY, or the stage's
SecureString. Nothing it does is billed.`,
  async run(args: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
    const options = { stage: { type: 'string' }, region: { type: 'string' } } as const
    const { stage, region = env.AWS_REGION ?? 'us-east-1' } = readArguments({ args, options }).values
    const account = stage === undefined ? undefined : await checkAccount({ stage, region })
    const source = await checkSource(account?.recipes, account?.settings)
    const apiKey = env.GEMINI_API_KEY ?? account?.apiKey
    const google = await checkGoogle({ apiKey, baseUrl: env.GOOGLE_GEMINI_BASE_URL, model: source.defaultModel })
    const findings: Findings = [...(account?.findings ?? []), ...source.findings, ...google]
    for (const { isWell, what, todo } of findings)
      console.log(`${isWell ? 'ok  ' : 'FAIL'}  ${what}${isWell ? '' : `\n      → ${todo}`}`)
    return findings.every(({ isWell }) => isWell) ? 0 : 1
  },
}
