import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { UsageError } from '../../infra/cli/command.ts'
import { WEBHOOK } from '../../infra/cli/webhook.ts'
import { type Gemini, startGemini } from '../../infra/local/gemini/server.ts'
import { signWebhook } from '../../infra/local/gemini/webhooks.ts'
import { readWebhook } from '../../lib/gemini/webhook.ts'
import { caught } from '../helpers/caught.ts'
import { runDarkroom } from '../helpers/command.ts'
import { startParameterStore } from '../helpers/parameter-store.ts'

const NAME = '/darkroom/prod/gemini-webhook-secret'
const URL = 'https://example.org/hook'
let gemini: Gemini
let store: Awaited<ReturnType<typeof startParameterStore>>
beforeAll(async () => {
  gemini = await startGemini()
  store = await startParameterStore(NAME, 'old')
})
afterAll(async () => {
  await gemini.close()
  await store[Symbol.asyncDispose]()
})
beforeEach(() => {
  store.isReadOnly = false
  store.value = 'old'
  for (const { id } of gemini.webhooks.list()) gemini.webhooks.remove(id)
})

afterEach(() => vi.unstubAllEnvs())

const environment = () => ({
  GEMINI_API_KEY: gemini.apiKey,
  GOOGLE_GEMINI_BASE_URL: gemini.baseUrl,
  AWS_ENDPOINT_URL_SSM: store.endpoint,
  AWS_REGION: 'us-east-1',
})
const run = (args: string[], env: Record<string, string> = {}) =>
  runDarkroom(['webhook', ...args], { ...environment(), ...env })

describe('darkroom webhook register', { timeout: 60_000 }, () => {
  test('keeps the secret where the functions look for it, and shows it to nobody', async () => {
    const { code, out, err } = await run(['register', URL, '--stage', 'prod'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const [webhook] = gemini.webhooks.list()
    expect(webhook).toMatchObject({ name: 'darkroom', uri: URL })
    expect(out).toBe(`webhook ${webhook?.id} calls ${URL}; its secret is in ${NAME}\n`)
    // It is Google's: what Google signs is known by it.
    const body = JSON.stringify({ type: 'batch.succeeded', data: { id: 'batches/a' } })
    const call = { id: 'msg', body, secret: store.value, now: Date.now() }
    expect(store.value).toMatch(/^whsec_./)
    expect(readWebhook(signWebhook(call), Buffer.from(body), store.value, Date.now())).toBeDefined()
    expect(out).not.toContain(store.value)
  })

  test('leaves no webhook behind whose secret could not be kept, and says why', async () => {
    store.isReadOnly = true
    const { code, out, err } = await run(['register', URL], { GEMINI_WEBHOOK_SECRET_PARAMETER: NAME })
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/was not registered: its secret could not be written to \/darkroom\/prod/)
    expect(err).toMatch(/because of AccessDeniedException: not you/)
    expect(gemini.webhooks.list()).toEqual([])
    expect(store.value).toBe('old')
  })
})

describe('darkroom webhook', () => {
  test('with a wrong key fails with Google’s words', async () => {
    for (const [name, value] of Object.entries({ ...environment(), GEMINI_API_KEY: 'wrong' })) vi.stubEnv(name, value)
    expect(await caught(() => WEBHOOK.run(['register', URL, '--stage', 'prod']))).toMatchObject({
      code: 'ERR_GEMINI_KEY',
      message: expect.stringMatching(/API key not valid/),
    })
    expect(store.value).toBe('old')
  })

  test.each<[string, string[], RegExp]>([
    ['without an action', [], /^expected register, got ""/],
    ['with an unknown action', ['forget', URL], /^expected register, got "forget"/],
    ['without an address', ['register'], /^expected one address, got ""/],
    ['with what is no address', ['register', 'mailto:me@example.org'], /^expected one address, got "mailto:/],
    ['with two addresses', ['register', URL, URL], /^expected one address, got "https.* https/],
    ['without what it needs', ['register', URL], /^GEMINI_API_KEY, AWS_REGION are not set/],
  ])('%s refuses, and names all that is wrong', async (_, args, said) => {
    for (const name of Object.keys(environment())) vi.stubEnv(name, undefined)
    const error = await caught(() => WEBHOOK.run(args))
    expect(error).toBeInstanceOf(UsageError)
    expect(error).toMatchObject({ message: expect.stringMatching(said) })
    expect(gemini.webhooks.list()).toEqual([])
  })
})
