import { DeleteMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { holdDeadLetters, redrive } from '../../infra/cli/dead-letters.ts'
import { runDarkroom } from '../helpers/command.ts'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'

let darkroom: Bench
beforeAll(async () => {
  darkroom = await openDarkroom({ clockFactor: 10 })
})
afterAll(() => darkroom[Symbol.asyncDispose]())

const run = (...args: string[]) => runDarkroom(args, { AWS_ENDPOINT_URL: darkroom.stack.endpoint })

/** Puts a message where SQS itself puts one that was received too often. */
async function giveUp(job: unknown): Promise<string> {
  const QueueUrl = darkroom.stack.queueUrl('darkroom-jobs-dead-letter')
  const command = new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(job) })
  return (await darkroom.stack.sqs.send(command)).MessageId ?? ''
}
const isEmpty = async () => (await darkroom.depth('darkroom-jobs-dead-letter')) === 0
const callsFor = (prompt: string) => darkroom.gemini.calls.filter(call => call.prompt.includes(prompt))

describe('darkroom dead', { timeout: 60_000 }, () => {
  test('says that there are none', async () => {
    expect(await run('dead', 'list')).toMatchObject({ code: 0, out: 'There are no dead letters.\n' })
  })

  test('lists each with its reason, shows it whole, and finds it there again', async () => {
    await darkroom.sendRaw('this is \u009b31mno job')
    await until('it is dead', async () => !(await isEmpty()))
    await giveUp({ id: 'worn-out', operation: 'generate', prompt: 'worn out' })
    for (const _ of [1, 2]) {
      const { code, out } = await run('dead', 'list', '--queue', 'jobs')
      expect(code).toBe(0)
      expect(out).toMatch(/jobs +[\w-]+ +\d+ \w+ +ERR_JOB_UNREADABLE: the message is no JSON/)
      expect(out).toMatch(/jobs +worn-out +\d+ \w+ +received 20 times/)
    }
    expect((await run('dead', 'show', ...((await run('dead', 'list')).out.match(/[\w-]{36}/) ?? []))).out).toContain(
      'this is \\u009b31mno job',
    )
    const shown = await run('dead', 'show', 'worn-out')
    expect(JSON.parse(shown.out)).toMatchObject({
      queue: 'jobs',
      jobIds: ['worn-out'],
      body: expect.stringContaining('worn out'),
    })
  })

  test('redrives one by its id, and it is done; what is no job comes back with its reason', async () => {
    expect(await run('dead', 'redrive', 'worn-out')).toMatchObject({
      code: 0,
      out: 'worn-out: sent to the jobs queue again\n',
    })
    expect((await darkroom.result('jobs/worn-out/')).status).toBe('done')
    const { code, out } = await run('dead', 'redrive', '--all')
    expect([code, out]).toEqual([0, expect.stringMatching(/sent to the jobs queue again/)])
    await until('it is dead again', async () => !(await isEmpty()))
    expect(await darkroom.takeDeadLetter('darkroom-jobs-dead-letter')).toMatchObject({
      reason: expect.stringContaining('ERR_JOB_UNREADABLE'),
    })
  })

  test('redrives a job without an id as the job that it was', async () => {
    const messageId = await giveUp({ operation: 'generate', prompt: 'nameless' })
    await run('dead', 'redrive', `msg-${messageId}`)
    expect((await darkroom.result(`jobs/msg-${messageId}/`)).status).toBe('done')
  })

  test('redrives a job that is done, and it is not done again', async () => {
    const job = { id: 'done-before', operation: 'generate', prompt: 'done before' }
    await darkroom.send(job)
    await darkroom.result('jobs/done-before/')
    await giveUp(job)
    expect((await run('dead', 'redrive', 'done-before')).code).toBe(0)
    await darkroom.drained()
    expect(callsFor('done before')).toHaveLength(1)
  })

  test('loses nothing when it is interrupted between the two queues, and nothing is done twice', async () => {
    await giveUp({ id: 'interrupted', operation: 'generate', prompt: 'interrupted' })
    const { sqs, env } = darkroom.stack
    const url = env.JOBS_QUEUE_URL ?? ''
    const held = await holdDeadLetters(sqs, 'jobs', url)
    const letter = held.letters.find(({ jobIds }) => jobIds.includes('interrupted'))
    const original = sqs.send.bind(sqs)
    const interrupted = Object.assign(Object.create(sqs), {
      send: (command: never) =>
        (command as unknown) instanceof DeleteMessageCommand
          ? Promise.reject(new Error('interrupted'))
          : original(command),
    })
    if (!letter) throw new Error('the letter was not found')
    await expect(redrive(interrupted, url, letter)).rejects.toThrow('interrupted')
    await held[Symbol.asyncDispose]()
    await darkroom.result('jobs/interrupted/')
    expect((await run('dead', 'redrive', 'interrupted')).code).toBe(0)
    await darkroom.drained()
    expect(callsFor('interrupted')).toHaveLength(1)
  })
})

describe('the command line', () => {
  test.each<[string, string[], number, RegExp]>([
    ['without a command', [], 2, /darkroom <command>/],
    ['with an unknown one', ['undead'], 2, /there is no command "undead"/],
    ['with an unknown action', ['dead', 'bury'], 2, /expected list, show, redrive, got "bury"/],
    ['with an unknown queue', ['dead', 'list', '--queue', 'cats'], 2, /--queue is one of uploads, jobs, batches/],
    ['with an unknown option', ['dead', 'list', '--quiet'], 2, /--quiet/],
    ['redriving neither ids nor all', ['dead', 'redrive'], 2, /redrive takes either ids or --all/],
    ['with an id that nothing has', ['dead', 'redrive', 'nobody'], 1, /no dead letter has the id "nobody"/],
  ])('%s says so', async (_, args, code, said) => {
    const result = await run(...args)
    expect(result.code).toBe(code)
    expect(result.err).toMatch(said)
  })

  test.each([[['--help']], [['dead', '--help']]])('%j helps', async args => {
    expect(await run(...args)).toMatchObject({ code: 0, err: '', out: expect.stringContaining('darkroom') })
  })
})
