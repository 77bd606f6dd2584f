import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SQSClient } from '@aws-sdk/client-sqs'
import type { Storage } from './aws/storage.ts'
import type { FunctionOptions } from './lambda/function-environment.ts'
import type { LambdaHost } from './lambda/host.ts'
import { type QueuePoller, startQueuePoller } from './lambda/queue-poller.ts'
import type { StackOptions } from './stack.ts'
import { accountId, type Template } from './template.ts'

const nobodyListens = 'http://127.0.0.1:9'

/** What the functions get: the deployment's environment, at the addresses of this machine. */
export function buildEnvironment(
  template: Template,
  storage: Storage,
  { env, gemini }: StackOptions,
): Record<string, string> {
  const deployed = Object.entries(template.environment(storage.endpoint))
  const values: Record<string, string | undefined> = {
    // Secrets lie in the parameter store when deployed, and there is none here.
    ...Object.fromEntries(deployed.filter(([name]) => !name.endsWith('_PARAMETER'))),
    GEMINI_API_KEY: gemini?.apiKey ?? 'no-key',
    GOOGLE_GEMINI_BASE_URL: gemini ? gemini.baseUrl : nobodyListens,
    AWS_ENDPOINT_URL: storage.endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: storage.dynamodbEndpoint,
    ...env,
  }
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

/** The template's functions that were asked for, with the file that each runs. */
export function selectFunctions(
  template: Template,
  { functions, handlerFiles = {} }: StackOptions,
  distFolder: string,
): FunctionOptions[] {
  const unknown = functions?.find(name => !template.functions.some(spec => spec.name === name))
  if (unknown) throw new Error(`serverless.yml has no function ${unknown}`)
  return template.functions
    .filter(({ name }) => functions?.includes(name) ?? true)
    .map(({ name, timeoutMs, memoryMb, sources }) => ({
      name,
      timeoutMs,
      memoryMb,
      file: handlerFiles[name] ?? join(distFolder, name, 'index.mjs'),
      maximumEnvironments: sources[0]?.maximumConcurrency ?? 1,
    }))
}

export type PollersOptions = {
  template: Template
  functions: readonly FunctionOptions[]
  sqs: SQSClient
  storage: Storage
  lambda: LambdaHost
  logFolder: string
  paused: boolean
}

/** Starts a poller for each function that has a queue; what goes wrong between the two is written to `pollers.log`. */
export function startPollers(options: PollersOptions): Record<string, QueuePoller> {
  const { template, functions, sqs, storage, lambda, logFolder, paused } = options
  const onError = toErrorLog(logFolder, 'pollers')
  const running = template.functions.filter(spec => functions.some(({ name }) => name === spec.name))
  return Object.fromEntries(
    running.flatMap(({ name, sources }) =>
      sources.map(source => {
        const queueUrl = toQueueUrl(storage, source.queueName)
        const invoke = (event: unknown) => lambda.invoke(name, event)
        return [name, startQueuePoller({ ...source, sqs, queueUrl, invoke, onError, paused })]
      }),
    ),
  )
}

/** Writes what went wrong between the services and a function to `<name>.log`. */
export function toErrorLog(logFolder: string, name: string): (error: unknown) => void {
  return error => appendFileSync(join(logFolder, `${name}.log`), `${new Date().toISOString()} ${error}\n`)
}

export function toQueueUrl({ endpoint }: Storage, name: string): string {
  return `${endpoint}/${accountId}/${name}`
}
