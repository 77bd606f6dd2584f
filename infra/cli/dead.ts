import { SQSClient } from '@aws-sdk/client-sqs'
import { type Command, readArguments, UsageError } from './command.ts'
import { type DeadLetter, holdDeadLetters, redrive } from './dead-letters.ts'
import { findQueue, QUEUES, type QueueName } from './queues.ts'
import { formatTable } from './table.ts'

const HELP = `darkroom dead list    [--queue ${QUEUES.join('|')}] [--stack NAME]
darkroom dead show    [--queue …] [--stack NAME] ID…
darkroom dead redrive [--queue …] [--stack NAME] ID… | --all

Lists the messages that Darkroom gave up, with their reason; shows some whole; or sends them to their queue again. A job that is
done is not done again: the ledger knows it. ID is a job's id, or a message's. Interrupted at any moment, no message is lost.

--queue   one queue only                                                                   (all)
--stack   the CloudFormation stack whose queues are meant                                  (darkroom-dev)
--all     redrive every message

UPLOADS_QUEUE_URL, JOBS_QUEUE_URL and BATCHES_QUEUE_URL, where they are set, name the queues instead of the stack.`

type Asked = { ids: string[]; all: boolean }
type Action = (sqs: SQSClient, found: Found[], asked: Asked) => Promise<number>
type Found = { queue: QueueName; url: string; letter: DeadLetter }

const ACTIONS: Readonly<Record<string, Action>> = { list, show, redrive: redriveAll }

/** `darkroom dead`. */
export const DEAD: Command = { about: 'list, show and redrive dead letters', help: HELP, run }

async function run(args: string[]): Promise<number> {
  const { action, ids, all, stack, queues } = readAsked(args)
  const sqs = new SQSClient()
  await using releases = new AsyncDisposableStack()
  const found: Found[] = []
  for (const queue of queues) {
    const url = await findQueue(sqs, queue, stack, process.env)
    if (url === undefined) throw new Error(`there is no ${queue} queue in ${stack}: name another --stack`)
    const held = releases.use(await holdDeadLetters(sqs, queue, url))
    found.push(...held.letters.map(letter => ({ queue, url, letter })))
  }
  const meant = ids.length === 0 ? found : found.filter(({ letter }) => isMeant(letter, ids))
  const code = await action(sqs, meant, { ids, all })
  const missing = ids.filter(id => !meant.some(({ letter }) => isMeant(letter, [id])))
  for (const id of missing) console.error(`no dead letter has the id ${JSON.stringify(id)}`)
  return missing.length > 0 ? 1 : code
}

function isMeant({ jobIds, messageId }: DeadLetter, ids: readonly string[]): boolean {
  return ids.some(id => id === messageId || jobIds.includes(id))
}

function readAsked(args: string[]) {
  const text = { type: 'string' } as const
  const options = { queue: text, stack: text, all: { type: 'boolean' } } as const
  const { values, positionals } = readArguments({ args, allowPositionals: true, options })
  const [name = '', ...ids] = positionals
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
  if (!action) throw new UsageError(`expected ${Object.keys(ACTIONS).join(', ')}, got ${JSON.stringify(name)}`)
  const queue = QUEUES.find(known => known === values.queue)
  if (values.queue !== undefined && !queue)
    throw new UsageError(`--queue is one of ${QUEUES.join(', ')}, got ${JSON.stringify(values.queue)}`)
  const all = values.all ?? false
  if (action !== list && all === ids.length > 0 && (action === redriveAll || ids.length === 0))
    throw new UsageError(action === show ? 'show takes ids' : 'redrive takes either ids or --all')
  return { action, ids, all, stack: values.stack ?? 'darkroom-dev', queues: queue ? [queue] : QUEUES }
}

async function list(_: SQSClient, found: Found[]): Promise<number> {
  if (found.length === 0) {
    console.log('There are no dead letters.')
    return 0
  }
  const head = ['queue', 'job', 'age', 'reason']
  const rows = found.map(({ queue, letter }) => [
    queue,
    nameOf(letter),
    formatAge(Date.now() - letter.firstSeenAt),
    escapeControls(letter.reason.length > 120 ? `${letter.reason.slice(0, 119)}…` : letter.reason),
  ])
  console.log(formatTable([head, ...rows]))
  return 0
}

async function show(_: SQSClient, found: Found[]): Promise<number> {
  for (const { queue, letter } of found) {
    const { receiptHandle: _, attributes: __, deadLetterUrl: ___, firstSeenAt, ...facts } = letter
    console.log(
      escapeControls(JSON.stringify({ queue, firstSeenAt: new Date(firstSeenAt).toISOString(), ...facts }, null, 2)),
    )
  }
  return 0
}

async function redriveAll(sqs: SQSClient, found: Found[], { ids }: Asked): Promise<number> {
  for (const { queue, url, letter } of found) {
    await redrive(sqs, url, letter)
    console.log(`${nameOf(letter)}: sent to the ${queue} queue again`)
  }
  if (found.length === 0 && ids.length === 0) console.log('There are no dead letters to redrive.')
  return 0
}

function nameOf({ jobIds, messageId }: DeadLetter): string {
  return escapeControls(jobIds.join(' ') || messageId)
}

/** A message is whatever somebody sent, and a terminal obeys control characters; JSON leaves some of them as they are. */
function escapeControls(text: string): string {
  return text.replace(
    /[^\P{Cc}\n]/gu,
    character => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  )
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const

function formatAge(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, size]) => ms >= size) ?? ['s', 1000]
  return `${Math.max(0, Math.floor(ms / unitMs))} ${unit}`
}
