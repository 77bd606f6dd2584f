import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runDarkroom } from '../helpers/command.ts'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'

let darkroom: Bench
beforeAll(async () => {
  darkroom = await openDarkroom({ clockFactor: 30 })
})
afterAll(() => darkroom[Symbol.asyncDispose]())

const run = (...args: string[]) => {
  const { RESULTS_BUCKET = '', LEDGER_TABLE = '', BATCHES_QUEUE_URL = '' } = darkroom.env
  const { endpoint, dynamodbEndpoint } = darkroom.stack
  return runDarkroom(['batch', ...args], {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodbEndpoint,
    ...{ RESULTS_BUCKET, LEDGER_TABLE, BATCHES_QUEUE_URL },
  })
}
const tick = () => darkroom.stack.lambda.invoke('batch-submit', {})
const idIn = (out: string) => /darkroom-\d{4}-\d\d-\d\d-[\w-]+/.exec(out)?.[0] ?? ''

describe('darkroom batch', { timeout: 60_000 }, () => {
  test('says that there are none', async () => {
    expect(await run('list')).toEqual({ code: 0, out: 'There are no batches.\n', err: '' })
  })

  test('lists, shows and cancels a batch, whose jobs’ results say so', async () => {
    darkroom.gemini.batches.order({ end: 'STUCK' })
    await darkroom.send({ id: 'unwanted', operation: 'generate', prompt: 'a lake', lane: 'batch' })
    await until('it is parked', async () => (await darkroom.row('unwanted'))?.status === 'batched')
    await tick()
    const listed = await run('list')
    expect(listed).toMatchObject({ code: 0, err: '' })
    expect(listed.out).toMatch(/^batch +step +end +model +jobs +made\n/)
    expect(listed.out).toMatch(/\n\S+ +submitted +gemini-nano-banana-2.1 +1 +\d{4}-/)
    const id = idIn(listed.out)
    const shown = await run('show', id)
    expect(shown).toMatchObject({ code: 0, err: '' })
    const [batch] = darkroom.gemini.batches.all()
    expect(JSON.parse(shown.out)).toMatchObject({ id, step: 'submitted', rows: 1, name: `batches/${batch?.id}` })

    expect(await run('cancel', id)).toEqual({ code: 0, out: `${id} will be cancelled\n`, err: '' })
    await until('Google is told', () => batch?.state === 'CANCELLED')
    await tick()
    const result = await darkroom.result('jobs/unwanted/')
    expect(result).toMatchObject({ status: 'failed', cost: { usd: 0 } })
    expect(result.error).toMatchObject({ code: 'ERR_BATCH_CANCELLED', message: `batch ${id}: it was cancelled` })
    await until('it is filed away', async () => (await darkroom.keys('batches/over/')).length === 1)
    expect((await run('list')).out).toMatch(/\n\S+ +collected +CANCELLED +/)
    expect(await run('cancel', id)).toEqual({ code: 0, out: `${id} is over already: CANCELLED\n`, err: '' })
  })

  test('cancels a batch before it was made', async () => {
    const before = darkroom.gemini.batches.all().length
    // Once more than it is asked here: the stack's own clock ticks, too.
    for (const _ of [1, 2, 3]) darkroom.gemini.batches.order({ create: 'busy' })
    await darkroom.send({ id: 'early', operation: 'generate', prompt: 'a lake', lane: 'batch' })
    await until('it is parked', async () => (await darkroom.row('early'))?.status === 'batched')
    await tick()
    const id = idIn((await run('list')).out)
    expect((await run('cancel', id)).out).toBe(`${id} will be cancelled\n`)
    expect((await run('list')).out).toMatch(/\n\S+ +(planned +to be cancelled|\w+ +CANCELLED) +/)
    await tick()
    expect(await darkroom.result('jobs/early/')).toMatchObject({ error: { code: 'ERR_BATCH_CANCELLED' } })
    expect(darkroom.gemini.batches.all()).toHaveLength(before)
  })
})

describe('a command line that cannot be served', { timeout: 60_000, concurrent: true }, () => {
  test.each<[string, string[], number, RegExp]>([
    ['without an action', [], 2, /^expected list, show, cancel, got ""/],
    ['with an unknown action', ['burn'], 2, /^expected list, show, cancel, got "burn"/],
    ['listing one', ['list', 'x'], 2, /^list takes no ids/],
    ['showing none', ['show'], 2, /^show needs the id of a batch/],
    ['cancelling none', ['cancel'], 2, /^cancel needs the id of a batch/],
    ['with an unknown option', ['cancel', 'x', '--bogus'], 2, /^Unknown option '--bogus'/],
    ['showing an unknown batch', ['show', 'x'], 1, /^there is no batch "x"\n$/],
    ['cancelling unknown batches', ['cancel', 'x', 'y'], 1, /^there is no batch "x"\nthere is no batch "y"\n$/],
  ])('%s says so', async (_, args, code, said) => {
    const result = await run(...args)
    expect(result).toMatchObject({ code, out: '' })
    expect(result.err).toMatch(said)
  })

  test('without its variables names them all', async () => {
    const { code, err } = await runDarkroom(['batch', 'cancel', 'x'])
    expect(code).toBe(2)
    expect(err).toMatch(/^RESULTS_BUCKET, LEDGER_TABLE, BATCHES_QUEUE_URL are not set\n\ndarkroom batch list/)
  })
})
