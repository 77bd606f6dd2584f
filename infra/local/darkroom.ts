import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import type { Catalogue } from '../../lib/models.ts'
import type { Clock } from './clock.ts'
import { type Gemini, startGemini } from './gemini/server.ts'
import { type Stack, type StackOptions, startStack } from './stack.ts'

export type Darkroom = AsyncDisposable & {
  stack: Stack
  /** The stand-in; `undefined` where the functions talk to Google. */
  gemini: Gemini | undefined
  /** Puts a file into the uploads bucket, as an uploader would. */
  upload: (key: string, file: string, metadata?: Record<string, string>) => Promise<void>
  /** Puts a file into any bucket. */
  put: (bucket: string, key: string, file: string, metadata?: Record<string, string>) => Promise<void>
  /** Puts a job on the jobs queue. */
  send: (job: unknown) => Promise<void>
}

export type DarkroomOptions = Omit<StackOptions, 'gemini'> & {
  /** Google's; with it there is no stand-in. */
  apiKey?: string
  /** What the stand-in opens to. @default 'stand-in' */
  standInKey?: string
  /** What the stand-in knows. @default the catalogue */
  models?: Catalogue
}

/** The local stack with a Gemini: Google's where `apiKey` is given, else the stand-in. */
export async function startDarkroom({
  apiKey,
  standInKey,
  models,
  ...options
}: DarkroomOptions = {}): Promise<Darkroom> {
  await using starting = new AsyncDisposableStack()
  const clock = createLateClock()
  const gemini = apiKey ? undefined : starting.use(await startGemini({ ...clock, models, apiKey: standInKey }))
  const stack = starting.use(await startStack({ ...options, gemini: gemini ?? { apiKey: apiKey ?? '' } }))
  clock.follow(stack.clock)
  const started = starting.move()
  const put: Darkroom['put'] = async (bucket, key, file, metadata) => {
    const command = new PutObjectCommand({ Bucket: bucket, Key: key, Body: await readFile(file), Metadata: metadata })
    await stack.s3.send(command)
  }
  return {
    stack,
    gemini,
    put,
    upload: (key, file, metadata) => put(stack.env.UPLOADS_BUCKET ?? '', key, file, metadata),
    async send(job) {
      await stack.sqs.send(
        new SendMessageCommand({ QueueUrl: stack.env.JOBS_QUEUE_URL, MessageBody: JSON.stringify(job) }),
      )
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** The stand-in starts before the stack, whose clock it goes by. */
function createLateClock() {
  let clock: Pick<Clock, 'now' | 'sleep'> = { now: Date.now, sleep: ms => sleep(ms) }
  return {
    now: () => clock.now(),
    sleep: (ms: number) => clock.sleep(ms),
    follow(other: Clock) {
      clock = other
    },
  }
}
