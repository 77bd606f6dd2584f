import { at, findReferences, ofType, type Packaged } from '../../checks/template.ts'
import { type Finding, type Findings, fault, note, well } from './finding.ts'

/** A queue and the function that reads it: as the template has them, or as they are. */
export type Source = {
  queue: string
  functionName: string
  timeoutS: number
  visibilityS: number
  batchSize: number
  /** Infinity where nothing bounds it. */
  maximumConcurrency: number
  isOn: boolean
}

export function readSources(template: Packaged): Source[] {
  return ofType(template, 'AWS::Lambda::EventSourceMapping').map(([, it]) => {
    const queue = findReferences(it.EventSourceArn)[0] ?? ''
    const functionOf = template.Resources[findReferences(it.FunctionName)[0] ?? '']?.Properties
    return {
      queue,
      functionName: String(functionOf?.FunctionName),
      timeoutS: Number(functionOf?.Timeout ?? 3),
      visibilityS: Number(template.Resources[queue]?.Properties?.VisibilityTimeout ?? 30),
      batchSize: Number(it.BatchSize ?? 10),
      maximumConcurrency: Number(at(it, 'ScalingConfig', 'MaximumConcurrency') ?? Number.POSITIVE_INFINITY),
      isOn: it.Enabled !== false,
    }
  })
}

export function checkVisibility(sources: readonly Source[]): Findings {
  const off = sources.filter(({ isOn }) => !isOn)
  const short = sources.filter(({ visibilityS, timeoutS }) => visibilityS < 6 * timeoutS)
  if (off.length + short.length === 0)
    return [well(`each of ${sources.length} queues hides a message for six times its function's time-out, or longer`)]
  return [
    ...off.map(({ queue, functionName }) =>
      fault(`${functionName} does not read ${queue}`, 'its messages lie there', 'switch its trigger on in Lambda'),
    ),
    ...short.map(({ queue, visibilityS, functionName, timeoutS }) =>
      fault(
        `${queue} hides a message for ${visibilityS} s, and ${functionName} may take ${timeoutS} s`,
        'a message that is still worked on comes again, and its tries are used up in vain',
        `set its VisibilityTimeout to ${6 * timeoutS} s`,
      ),
    ),
  ]
}

/** 1K takes half a minute (recorded replies, 2026-11), so a job makes two calls a minute. */
const CALLS_A_MINUTE = 2
/** The other functions draw nothing. */
const DRAWS = /-(upload|job)$/

/** Holds what the functions may ask for in a minute against what Google allows. */
export function checkPace(sources: readonly Source[], model: string, limit: number | undefined): Finding {
  const atOnce = sources
    .filter(({ functionName }) => DRAWS.test(functionName))
    .reduce((sum, { batchSize, maximumConcurrency }) => sum + batchSize * maximumConcurrency, 0)
  const most = atOnce * CALLS_A_MINUTE
  const what = `${atOnce} jobs run at once, about ${most} calls a minute; ${model} has ${limit ? `requestsPerMinute ${limit}` : 'no requestsPerMinute'}`
  if (!Number.isFinite(atOnce))
    return fault(what, 'a backlog takes all of the account’s concurrency', 'set maximumConcurrency in serverless.yml')
  if (limit === undefined)
    return note(
      what,
      'Darkroom calls until Google answers 429, and then waits as long as Google asks',
      `set models["${model}"].requestsPerMinute in settings.json to what your tier has: https://aistudio.google.com/rate-limit`,
    )
  if (most <= limit) return well(what)
  return note(
    what,
    'the jobs beyond it wait for a slot: nothing is lost, and each of them costs another message',
    'lower maximumConcurrency in serverless.yml, or raise both once Google has raised yours',
  )
}
