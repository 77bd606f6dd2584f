import { S3Client } from '@aws-sdk/client-s3'
import { DEFAULT_MODEL } from '../../lib/models.ts'
import { findRegion } from '../deploy/target.ts'
import { type Command, readArguments } from './command.ts'
import { readAccount } from './doctor/account.ts'
import { readKept, readShipped } from './doctor/bucket.ts'
import { type Findings, toText } from './doctor/finding.ts'
import { checkGoogle } from './doctor/google.ts'
import { checkRecipes, checkSettings } from './doctor/policy.ts'
import { checkPace, checkVisibility, readSources } from './doctor/sources.ts'
import { checkDeployed, checkPackaged, checkZones } from './doctor/template.ts'

/** `darkroom doctor`: what it found, what that means and what to do. Costs nothing. Resolves to 1 where something must be mended. */
export const DOCTOR: Command = {
  about: 'looks whether Darkroom can work: key, models, recipes, settings, and a deployed stage',
  help: `darkroom doctor [--stage <stage>] [--region <region>]

Without a stage it looks at what would be deployed: what npm run package left, and the recipes that ship, or those of the bucket
that RECIPES_BUCKET names. With a stage it looks at what is: its template, its functions, queues, recipes, settings and key.
GEMINI_API_KEY, where it is set, is looked at in place of the stage's key. Nothing it does is billed.

FAIL is in the way and makes the exit code 1; a note is worth knowing.`,
  run: args => run(args, process.env),
}

async function run(args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const text = { type: 'string' } as const
  const { stage, region } = readArguments({ args, options: { stage: text, region: text } }).values
  const place = stage === undefined ? await readHere(env) : await readStage(stage, region)
  const { template, kept } = place
  const { findings: policy, settings } = checkSettings(kept.settings)
  const recipes = checkRecipes(kept.recipes, settings)
  const [id = DEFAULT_MODEL] = recipes.models
  const apiKey = env.GEMINI_API_KEY || place.apiKey
  const findings: Findings = [
    ...place.findings,
    ...(template ? checkVisibility(place.sources) : []),
    ...(template ? [checkPace(place.sources, id, settings.catalogue[id]?.requestsPerMinute)] : []),
    ...(template ? checkZones(template) : []),
    ...policy,
    ...recipes.findings,
    ...(await checkGoogle({ apiKey, baseUrl: env.GOOGLE_GEMINI_BASE_URL, models: recipes.models })),
  ]
  for (const finding of findings) console.log(toText(finding))
  return findings.some(({ verdict }) => verdict === 'FAIL') ? 1 : 0
}

/** What would be deployed, and what the functions on this machine have. */
async function readHere({ RECIPES_BUCKET }: NodeJS.ProcessEnv) {
  const { findings, template } = checkPackaged()
  const kept = RECIPES_BUCKET ? await readKept(new S3Client(), RECIPES_BUCKET) : await readShipped()
  return { findings, template, kept, sources: template ? readSources(template) : [], apiKey: undefined }
}

async function readStage(stage: string, region?: string) {
  const account = await readAccount({ stage, region: region ?? (await findRegion()) })
  return { ...account, findings: [...account.findings, ...checkDeployed(account.template, stage)] }
}
