import { type Finding, type Findings, fault, note, well } from './finding.ts'
import { buildProbe, judgeProbe } from './probe.ts'

export type GoogleOptions = { apiKey: string | undefined; baseUrl?: string; models: readonly string[] }

const GOOGLE = 'https://generativelanguage.googleapis.com'
const NO_JOB = 'every job waits until the key is mended, and then runs by itself'
const MAKE_ONE = 'make a key at https://aistudio.google.com/apikey, with billing in its project'

/** Whether the key opens, each model lives, and Google knows every field that Darkroom sends. A call a model and one more, none billed. */
export async function checkGoogle({ apiKey: given, baseUrl = GOOGLE, models }: GoogleOptions): Promise<Findings> {
  // As the functions read it.
  const apiKey = given?.trim()
  if (!apiKey) return [fault('there is no key', NO_JOB, `set GEMINI_API_KEY, or ${MAKE_ONE}`)]
  if (!/^[\x21-\x7e]+$/.test(apiKey))
    return [
      fault('the key has a blank or a line break inside', NO_JOB, 'store it again, without what a copy brought along'),
    ]
  const ask = createAsk(apiKey, baseUrl)
  try {
    const findings: Findings = []
    for (const model of models) {
      const { status, text } = await ask(model)
      if (status !== 200 && status !== 404) return [...findings, judgeKey(status, text)]
      findings.push(status === 200 ? well(`the key opens, and ${model} is alive`) : gone(model))
    }
    const [alive] = models.filter((_, index) => findings[index]?.verdict === 'ok')
    if (alive) {
      const { status, text } = await ask(`${alive}:generateContent`, await buildProbe(alive))
      findings.push(judgeProbe(status, readMessage(text)))
    }
    return findings
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return [fault(`Google can't be reached at ${baseUrl}: ${reason}`, 'jobs wait', 'look at the network and its proxy')]
  }
}

function createAsk(apiKey: string, baseUrl: string) {
  const headers = { 'x-goog-api-key': apiKey, 'content-type': 'application/json' }
  return async (path: string, body?: string) => {
    const method = body === undefined ? 'GET' : 'POST'
    const signal = AbortSignal.timeout(20_000)
    const response = await fetch(`${baseUrl}/v1beta/models/${path}`, { method, body, headers, signal })
    return { status: response.status, text: await response.text() }
  }
}

function gone(model: string): Finding {
  const means = 'its jobs run on the successor that the catalogue names, or fail'
  return fault(`the key opens; Google has no model ${model}`, means, 'name another in settings.json or the recipe')
}

function judgeKey(status: number, text: string): Finding {
  const what = `HTTP ${status}: ${readMessage(text)}`
  if (status === 429 || status >= 500)
    return note(
      `Google is busy: ${what}`,
      'nothing is known of the key; jobs wait and try again',
      'ask again in a minute',
    )
  return fault(`Google refuses the key: ${what}`, NO_JOB, MAKE_ONE)
}

function readMessage(text: string): string {
  try {
    const json = JSON.parse(text) as { error?: { message?: string } }
    return json.error?.message ?? text.slice(0, 200)
  } catch {
    return text.slice(0, 200)
  }
}
