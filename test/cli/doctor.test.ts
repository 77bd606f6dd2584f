import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkGoogle } from '../../infra/cli/doctor/google.ts'
import { checkSource } from '../../infra/cli/doctor/source.ts'
import { type Gemini, startGemini } from '../../infra/local/gemini/server.ts'

let gemini: Gemini
beforeAll(async () => {
  gemini = await startGemini()
})
afterAll(() => gemini[Symbol.asyncDispose]())

const faultsOf = (findings: { isWell: boolean; what: string }[]) => findings.filter(it => !it.isWell).map(it => it.what)
const model = 'gemini-nano-banana-2.1'

test('a good key, a living model and known fields are found well, and nothing is drawn for it', async () => {
  const findings = await checkGoogle({ ...gemini, model })
  expect(faultsOf(findings)).toEqual([])
  expect(findings).toHaveLength(2)
  expect(gemini.calls.filter(call => call.status === 200)).toEqual([])
})

test('a wrong key, no key, a model that is gone and a dead network are each told', async () => {
  const ask = (options: object) => checkGoogle({ ...gemini, model, ...options }).then(faultsOf)
  expect(await ask({ apiKey: 'wrong' })).toEqual([expect.stringContaining('Google refuses the key')])
  expect(await ask({ apiKey: undefined })).toEqual(['there is no key'])
  expect(await ask({ model: 'imagen-4.0-generate-001' })).toEqual([expect.stringContaining('Google has no model')])
  expect(await ask({ baseUrl: 'http://127.0.0.1:9' })).toEqual([expect.stringContaining("can't be reached")])
})

test('a stage with a budget, live models and a pace is well', async () => {
  const settings = { dailyBudgetUsd: 25, models: { [model]: { requestsPerMinute: 100 } } }
  expect(faultsOf((await checkSource(undefined, JSON.stringify(settings))).findings)).toEqual([])
})

test('no budget, a faulty file, a retired model and nothing packaged are each told', async () => {
  const ask = async (...given: Parameters<typeof checkSource>) =>
    faultsOf((await checkSource(...given)).findings).join('\n')
  expect(await ask()).toContain('no daily budget is set')
  expect(await ask(undefined, '{ "dailyBudget": 1 }')).toContain('settings.json is faulty')
  expect(await ask(new Map([['old.json', '{ "model": "imagen-4.0-generate-001" }']]))).toContain(
    'old.json asks for imagen',
  )
  expect(await ask(undefined, '{}', '/nowhere')).toContain('nothing is packaged')
})
