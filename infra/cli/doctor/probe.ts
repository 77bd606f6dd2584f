import { buildLine } from '../../../lib/gemini/batch-file.ts'
import { buildRequest, type RequestImage } from '../../../lib/gemini/request.ts'
import { parseJob } from '../../../lib/job.ts'
import { type Finding, fault, note, well } from './finding.ts'

/** No field of Gemini's: a request that has it is refused before it costs anything, and every unknown field is named. */
const PROBE = 'darkroomDoctor'

/** A job that wishes for all that a job can wish for. */
const JOB = parseJob({
  operation: 'generate',
  prompt: 'not drawn',
  imageConfig: { aspectRatio: '1:1', imageSize: '1K' },
  thinkingConfig: { thinkingLevel: 'HIGH', includeThoughts: true },
  grounding: { web: true, images: true },
  systemInstruction: 'not drawn',
})
const IMAGES: RequestImage[] = [
  { mimeType: 'image/png', bytes: Buffer.alloc(0) },
  { mimeType: 'image/png', fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/not-there' },
]

/** The body of a request with every field that Darkroom sends for a picture, as it would send them, and one that nobody knows. */
export async function buildProbe(model: string): Promise<string> {
  const line = await buildLine('probe', buildRequest(model, JOB, 'not drawn', IMAGES))
  const { request } = JSON.parse(line.toString()) as { request: object }
  return JSON.stringify({ ...request, [PROBE]: true })
}

/** What Google's answer to the probe tells of the fields. */
export function judgeProbe(status: number, message: string): Finding {
  const unknown = [...message.matchAll(/Unknown name "([^"]+)"/g)].map(match => match[1] ?? '')
  if (status !== 400 || !unknown.includes(PROBE))
    return note(
      `the probe of the fields was answered with HTTP ${status}: ${message}`,
      'whether Google knows every field is not known; nothing was billed unless it is 200',
      'ask again later',
    )
  const others = [...new Set(unknown.filter(name => name !== PROBE))]
  if (others.length === 0) return well('Google knows every field that Darkroom sends')
  return fault(`Google knows no field ${others.join(', ')}`, 'every job that has it is refused', 'upgrade Darkroom')
}
