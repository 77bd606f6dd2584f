import { z } from 'zod'
import { BatchSettings, DEFAULT_BATCH_SETTINGS } from './batch-settings.ts'
import { EditError } from './errors.ts'
import { type Catalogue, MODELS, Model } from './models.ts'
import { TextModel } from './words.ts'

/** The environment of the functions, read once at the start. AWS's own variables are the AWS SDK's business. */
type Config = {
  buckets: { uploads: string; results: string; recipes: string }
  /** Every bucket that inputs may come from. */
  inputBuckets: string[]
  queues: { uploads: string; jobs: string; batches: string }
  ledgerTable: string
  resultsTopicArn: string
  gemini: { apiKey?: string; apiKeyParameter?: string; baseUrl?: string }
  /** The registered webhook's; nothing else needs it. */
  webhookSecret: { value?: string; parameter?: string }
  /** Whether uploaded `*.job.json` run. */
  uploadedJobs: boolean
  /** Where CloudWatch counts what the functions log. */
  metricsNamespace: string
}

const bucket = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'is no bucket name')

const Environment = z.object({
  UPLOADS_BUCKET: bucket,
  RESULTS_BUCKET: bucket,
  RECIPES_BUCKET: bucket,
  UPLOADS_QUEUE_URL: z.url(),
  JOBS_QUEUE_URL: z.url(),
  BATCHES_QUEUE_URL: z.url(),
  LEDGER_TABLE: z.string().min(3),
  RESULTS_TOPIC_ARN: z.string().startsWith('arn:', 'is no ARN'),
  INPUT_BUCKETS: z
    .string()
    .default('')
    .transform(value => value.split(/[\s,]+/).filter(Boolean))
    .pipe(z.array(bucket)),
  GEMINI_API_KEY: z.string().min(1).optional(),
  GEMINI_API_KEY_PARAMETER: z.string().min(1).optional(),
  GEMINI_WEBHOOK_SECRET: z.string().min(1).optional(),
  GEMINI_WEBHOOK_SECRET_PARAMETER: z.string().min(1).optional(),
  GOOGLE_GEMINI_BASE_URL: z.url().optional(),
  UPLOADED_JOBS: z.enum(['on', 'off']).default('off'),
  METRICS_NAMESPACE: z.string().default('darkroom'),
})

/** Every fault is named at once in one `ERR_CONFIG_INVALID`. An empty variable counts as not set. */
export function readConfig(env: Record<string, string | undefined>): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = Environment.safeParse(set)
  const faults = parsed.success ? findConflicts(parsed.data) : parsed.error.issues.map(describe)
  if (!parsed.success || faults.length > 0) {
    throw new EditError(
      'ERR_CONFIG_INVALID',
      `the function's environment is incomplete; set in serverless.yml: ${faults.join('; ')}`,
    )
  }
  const e = parsed.data
  return {
    buckets: { uploads: e.UPLOADS_BUCKET, results: e.RESULTS_BUCKET, recipes: e.RECIPES_BUCKET },
    inputBuckets: [...new Set([e.UPLOADS_BUCKET, e.RESULTS_BUCKET, e.RECIPES_BUCKET, ...e.INPUT_BUCKETS])],
    queues: { uploads: e.UPLOADS_QUEUE_URL, jobs: e.JOBS_QUEUE_URL, batches: e.BATCHES_QUEUE_URL },
    ledgerTable: e.LEDGER_TABLE,
    resultsTopicArn: e.RESULTS_TOPIC_ARN,
    gemini: {
      apiKey: e.GEMINI_API_KEY,
      apiKeyParameter: e.GEMINI_API_KEY_PARAMETER,
      baseUrl: e.GOOGLE_GEMINI_BASE_URL,
    },
    webhookSecret: { value: e.GEMINI_WEBHOOK_SECRET, parameter: e.GEMINI_WEBHOOK_SECRET_PARAMETER },
    uploadedJobs: e.UPLOADED_JOBS === 'on',
    metricsNamespace: e.METRICS_NAMESPACE,
  }
}

function describe(issue: z.core.$ZodIssue): string {
  return `${issue.path.join('.')}: ${issue.message}`
}

/** Results that land where photos are awaited would start jobs for ever, each of them billed. */
function findConflicts(e: z.infer<typeof Environment>): string[] {
  const faults: string[] = []
  if (e.UPLOADS_BUCKET === e.RESULTS_BUCKET)
    faults.push('UPLOADS_BUCKET and RESULTS_BUCKET are the same: every result would start a job')
  if (e.RECIPES_BUCKET === e.UPLOADS_BUCKET)
    faults.push('RECIPES_BUCKET and UPLOADS_BUCKET are the same: uploaders could change recipes')
  if (e.RECIPES_BUCKET === e.RESULTS_BUCKET) faults.push('RECIPES_BUCKET and RESULTS_BUCKET are the same')
  if (!e.GEMINI_API_KEY && !e.GEMINI_API_KEY_PARAMETER)
    faults.push('GEMINI_API_KEY or GEMINI_API_KEY_PARAMETER is not set')
  return faults
}

const budget = z.number().nonnegative()

/** `settings.json` in the recipes bucket: policy that changes without a deployment. */
export const SettingsFile = z.strictObject({
  defaultModel: z.string().optional(),
  dailyBudgetUsd: budget.optional(),
  recipes: z.record(z.string(), z.strictObject({ dailyBudgetUsd: budget.optional() })).optional(),
  models: z.record(z.string(), Model.partial()).optional(),
  textModel: TextModel.optional(),
  maxWaitHours: z.number().positive().optional(),
  batch: BatchSettings.partial().optional(),
})

export type Settings = {
  defaultModel?: string
  maxWaitHours: number
  catalogue: Catalogue
  /** Writes the words that a job leaves open; without it, none are written. */
  textModel?: TextModel
  /** US dollars a day: of everything, and by recipe. */
  budgets: { all?: number; recipes: Readonly<Record<string, number>> }
  batch: BatchSettings
}

/** A week: longer than any outage or day's budget that somebody still waits for. */
const MAX_WAIT_HOURS = 168

export const DEFAULT_SETTINGS: Settings = {
  maxWaitHours: MAX_WAIT_HOURS,
  catalogue: MODELS,
  budgets: { recipes: {} },
  batch: DEFAULT_BATCH_SETTINGS,
}

/** Settings of the file's JSON over the defaults; throws a `ZodError` that names every fault. */
export function readSettings(json: unknown): Settings {
  const file = SettingsFile.parse(json)
  const catalogue: Record<string, Model> = { ...MODELS }
  for (const [id, change] of Object.entries(file.models ?? {}))
    catalogue[id] = Model.parse({ ...catalogue[id], ...change })
  const { defaultModel, textModel, maxWaitHours = MAX_WAIT_HOURS, dailyBudgetUsd: all } = file
  const recipes = Object.entries(file.recipes ?? {}).flatMap(([name, { dailyBudgetUsd }]) =>
    dailyBudgetUsd === undefined ? [] : [[name, dailyBudgetUsd] as const],
  )
  const batch = { ...DEFAULT_BATCH_SETTINGS, ...file.batch }
  const budgets = { all, recipes: Object.fromEntries(recipes) }
  return { defaultModel, textModel, maxWaitHours, catalogue, budgets, batch }
}
