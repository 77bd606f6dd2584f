import { type Findings, toFinding } from './source.ts'

export type GoogleOptions = { apiKey: string | undefined; baseUrl?: string; model: string }

const GOOGLE = 'https://generativelanguage.googleapis.com'
/** No field of Gemini's: a request that has it is refused before it costs anything, and every unknown field is named. */
const PROBE = 'darkroomDoctor'

/** Whether the key opens, the model lives, and Google knows every field that Darkroom sends. Two calls, neither billed. */
export async function checkGoogle({ apiKey, baseUrl = GOOGLE, model }: GoogleOptions): Promise<Findings> {
  if (!apiKey)
    return [toFinding(false, 'there is no key', "set GEMINI_API_KEY, or put it into the stage's SecureString")]
  const headers = { 'x-goog-api-key': apiKey, 'content-type': 'application/json' }
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${baseUrl}/v1beta/models/${model}${path}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(20_000),
    })
    return { status: response.status, text: await response.text() }
  }
  try {
    const { status, text } = await ask('')
    if (status === 404)
      return [toFinding(false, `the key is valid; Google has no model ${model}`, 'set defaultModel in settings.json')]
    if (status !== 200)
      return [
        toFinding(
          false,
          `Google refuses the key: HTTP ${status}: ${readMessage(text)}`,
          'make a key at https://aistudio.google.com/apikey',
        ),
      ]
    const reply = await ask(':generateContent', { method: 'POST', body: JSON.stringify(toProbe()) })
    return [toFinding(true, `the key is valid and ${model} is alive`), ...judgeProbe(reply)]
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return [toFinding(false, `Google can't be reached at ${baseUrl}: ${reason}`, 'look at the network and its proxy')]
  }
}

function toProbe() {
  const generationConfig = {
    responseModalities: ['TEXT', 'IMAGE'],
    imageConfig: { aspectRatio: '1:1', imageSize: '1K' },
    thinkingConfig: { includeThoughts: true },
  }
  return { contents: [{ role: 'user', parts: [{ text: 'not drawn' }] }], generationConfig, [PROBE]: true }
}

function judgeProbe({ status, text }: { status: number; text: string }): Findings {
  const unknown = [...readMessage(text).matchAll(/Unknown name "([^"]+)"/g)].map(match => match[1] ?? '')
  if (status !== 400 || !unknown.includes(PROBE))
    return [
      toFinding(
        false,
        `the probe of the fields was answered with HTTP ${status}: ${readMessage(text)}`,
        'try again later',
      ),
    ]
  const others = unknown.filter(name => name !== PROBE)
  if (others.length === 0) return [toFinding(true, 'Google knows every field that Darkroom sends')]
  return [toFinding(false, `Google knows no field ${others.join(', ')}`, 'upgrade Darkroom: its API has changed')]
}

function readMessage(text: string): string {
  try {
    const json = JSON.parse(text) as { error?: { message?: string } }
    return json.error?.message ?? text.slice(0, 200)
  } catch {
    return text.slice(0, 200)
  }
}
