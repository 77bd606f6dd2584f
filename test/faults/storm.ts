import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { type FaultName, FAULTS as MODEL_FAULTS } from '../../infra/local/gemini/faults.ts'
import { type Chance, createChance } from '../../infra/local/gemini/pictures/chance.ts'
import { until } from '../helpers/darkroom.ts'
import { FAULTS as AWS_FAULTS } from './aws-proxy.ts'
import { startKiller } from './killer.ts'
import { hearsWordsFirst, isUpload, jobOf, nameOf } from './storm-jobs.ts'
import { openStormy, type Stormy, tiny } from './stormy.ts'

export type StormOptions = { seed: string; jobs: number }

/** Of the service's faults those after which a job can still be done within its day. */
const STRIKES = (Object.keys(MODEL_FAULTS) as FaultName[]).filter(
  fault => !['slow', 'invalid', 'not-found', 'quota-day'].includes(fault),
)
const MODEL_SHARE = 0.2
const AWS_SHARE = 0.02
/** A silent connection is noticed after five real seconds, which is a function's whole life here; aws-faults.test.ts has it. */
const AWS_STRIKES = AWS_FAULTS.filter(fault => fault !== 'hang')

export type Storm = Awaited<ReturnType<typeof runStorm>>

/** Runs that many jobs through everything that can go wrong at once, and returns what is left when the last is over. */
export async function runStorm({ seed, jobs }: StormOptions) {
  // A function's five minutes are ten seconds: with less, a busy machine kills more by time-out than the killer does, each
  // death costs a start, and starts make it busier. A killed function's messages are back after a minute.
  await using darkroom = await openStormy({ clockFactor: 30, paused: true })
  const startedAt = Date.now()
  orderFaults(darkroom, seed, jobs)
  const deliveries = shuffle(createChance(`${seed} deliveries`), await prepare(darkroom, seed, jobs))
  for (const delivery of deliveries) await darkroom.stack.sqs.send(delivery)
  darkroom.stack.resumePollers()
  await using killer = startKiller(darkroom, seed)
  const patienceMs = 120_000 + jobs * 1000
  await until(`${jobs} results`, () => darkroom.notices.length >= jobs, patienceMs)
  await killer.stop()
  const isDrained = async (queue: string) => (await darkroom.depth(queue)) === 0
  for (const queue of ['darkroom-jobs', 'darkroom-uploads'])
    await until(`${queue} is empty`, () => isDrained(queue), patienceMs)

  const keys = await listAll(darkroom)
  return {
    seed,
    jobs,
    deliveries: deliveries.length,
    seconds: Math.round((Date.now() - startedAt) / 1000),
    notices: darkroom.notices,
    rows: await darkroom.rows(),
    keys,
    kept: await readKept(darkroom, keys),
    calls: darkroom.gemini.calls,
    mostInFlight: darkroom.gemini.mostInFlight(),
    deaths: killer.deaths,
    awsFaults: darkroom.proxy.struck(),
    deadLetters:
      (await darkroom.depth('darkroom-jobs-dead-letter')) + (await darkroom.depth('darkroom-uploads-dead-letter')),
  }
}

function orderFaults({ gemini, proxy }: Stormy, seed: string, jobs: number): void {
  gemini.control.clear()
  gemini.control.slow({ ms: [1000, 20_000], seed })
  const share = 1 - (1 - MODEL_SHARE) ** (1 / STRIKES.length)
  for (const fault of STRIKES) gemini.control.fail({ fault, share, seed: `${seed} ${fault}` })
  for (let n = 0; n < jobs; n += 1) {
    const match = { promptIncludes: nameOf(n) }
    if (hearsWordsFirst(n)) gemini.control.reply({ reply: 'text-only', times: 1, match })
  }
  gemini.control.reply({ reply: 'tiny-image' })
  proxy.fail({ faults: AWS_STRIKES, share: AWS_SHARE, seed })
}

/** The messages of all jobs, each one to four times; a photo's are what S3 itself sent. */
async function prepare(darkroom: Stormy, seed: string, jobs: number): Promise<SendMessageCommand[]> {
  const { stack, env } = darkroom
  const chance = createChance(`${seed} copies`)
  await darkroom.putRecipe('storm', { operation: 'edit', allow: ['prompt'] })
  await darkroom.putInput('photo.jpg')
  const messages: SendMessageCommand[] = []
  const repeat = (QueueUrl: string, MessageBody: string) => {
    const copies = 1 + Math.floor(chance() * 4)
    for (let copy = 0; copy < copies; copy += 1) {
      const DelaySeconds = copy === 0 ? 0 : Math.floor(chance() * 900)
      messages.push(new SendMessageCommand({ QueueUrl, MessageBody, DelaySeconds }))
    }
  }
  for (let n = 0; n < jobs; n += 1) {
    const prompt = `a house, ${nameOf(n)}`
    if (isUpload(n)) {
      const Metadata = { prompt: encodeURIComponent(prompt) }
      const object = { Bucket: env.UPLOADS_BUCKET, Key: `storm/${n}.jpg`, Body: await tiny, Metadata }
      await stack.s3.send(new PutObjectCommand(object))
      repeat(stack.queueUrl('darkroom-uploads'), await takeNotice(darkroom))
    } else {
      const inputs = n % 2 ? [`s3://${env.RECIPES_BUCKET}/photo.jpg`] : []
      const job = { id: `job-${n}`, operation: inputs.length > 0 ? 'edit' : 'generate', prompt, inputs }
      repeat(stack.queueUrl('darkroom-jobs'), JSON.stringify(job))
    }
  }
  return messages
}

async function takeNotice({ stack }: Stormy): Promise<string> {
  const QueueUrl = stack.queueUrl('darkroom-uploads')
  const { Messages: [notice] = [] } = await stack.sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }))
  await stack.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: notice?.ReceiptHandle }))
  return notice?.Body ?? ''
}

function shuffle<T>(chance: Chance, items: T[]): T[] {
  return items
    .map(item => ({ item, at: chance() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

async function listAll({ stack, env }: Stormy): Promise<string[]> {
  const keys: string[] = []
  let ContinuationToken: string | undefined
  do {
    const page = await stack.s3.send(new ListObjectsV2Command({ Bucket: env.RESULTS_BUCKET, ContinuationToken }))
    keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key))
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken)
  return keys
}

/** Every reply that was kept: whose it is, and whether it holds a picture. */
async function readKept(darkroom: Stormy, keys: readonly string[]) {
  const kept: { job: number; hasPicture: boolean }[] = []
  for (const key of keys.filter(name => /\/response-\d+\.json$/.test(name))) {
    kept.push({ job: jobOf(key), hasPicture: (await darkroom.fetch(key)).bytes.includes('inlineData') })
  }
  return kept
}
