import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { buildApp } from 'fauxqs'
import { region } from '../template.ts'
import { type AwsCall, recordFauxqs } from './call-record.ts'
import { sendS3Events } from './s3-events.ts'
import { closeS3Gaps } from './s3-gaps.ts'
import { allowAllCharacters, handBackUnheardMessages } from './sqs-gaps.ts'

type App = ReturnType<typeof buildApp>
type Stores = NonNullable<NonNullable<Parameters<typeof buildApp>[0]>['stores']>
type Persistence = NonNullable<Stores['snsStore']['persistence']>

/** fauxqs behind its own front door, with its three stores within reach. */
export type Fauxqs = Stores & {
  app: App
  endpoint: string
  createMessage: CreateMessage
  /** Queue ARNs to tell about new objects, by bucket. */
  notifications: Map<string, string[]>
}
export type CreateMessage = (body: string) => Parameters<ReturnType<QueueOf<Stores>>['enqueue']>[0]
type QueueOf<S extends Stores> = () => NonNullable<ReturnType<S['sqsStore']['getQueueByArn']>>

/**
 * Starts S3, SQS and SNS on a free port of the loopback, in memory or with their state in a folder.
 *
 * Not as `startFauxqs` does it: that one listens on every address and keeps its stores to itself.
 */
export async function startFauxqs(
  folder: string | undefined,
  onCall: (call: AwsCall) => void = () => {},
): Promise<Fauxqs> {
  const { SqsStore, SnsStore, S3Store, PersistenceManager, INVALID_MESSAGE_BODY_CHAR } = await loadInsides()
  const stores: Stores = { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store: new S3Store() }
  // Without a host the queues' URLs are made from the address asked, not from a name that resolves nowhere.
  Object.assign(stores.sqsStore, { host: '', region })
  Object.assign(stores.snsStore, { region })
  const persistence = folder === undefined ? undefined : openPersistence(folder, PersistenceManager, stores)

  const app = buildApp({ logger: false, stores, defaultRegion: region })
  const notifications = new Map<string, string[]>()
  allowAllCharacters(INVALID_MESSAGE_BODY_CHAR)
  closeS3Gaps(app, stores.s3Store)
  sendS3Events(app, stores, notifications, SqsStore.createMessage)
  handBackUnheardMessages(app, stores.sqsStore)
  app.addHook('onClose', async () => persistence?.close())
  recordFauxqs(app, onCall)
  const endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
  return { ...stores, app, endpoint, notifications, createMessage: SqsStore.createMessage }
}

type Insides = {
  SqsStore: { new (): Stores['sqsStore']; createMessage: CreateMessage }
  SnsStore: new () => Stores['snsStore']
  S3Store: new () => Stores['s3Store']
  PersistenceManager: new (folder: string) => Persistence
  INVALID_MESSAGE_BODY_CHAR: RegExp
}

// The package exports only its front; the stores are taken from the files beside it.
async function loadInsides(): Promise<Insides> {
  const front = import.meta.resolve('fauxqs')
  const files = ['sqs/sqsStore.js', 'sns/snsStore.js', 's3/s3Store.js', 'persistence.js', 'sqs/sqsTypes.js']
  const modules = await Promise.all(files.map(file => import(new URL(file, front).href)))
  return Object.assign({}, ...modules)
}

function openPersistence(folder: string, Manager: Insides['PersistenceManager'], stores: Stores): Persistence {
  mkdirSync(folder, { recursive: true })
  const persistence = new Manager(folder)
  // The original clears the receive count, which the table forbids: a message handed back at once would be lost.
  const database = new DatabaseSync(join(folder, 'fauxqs.db'))
  const makeReady = database.prepare(
    'UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = ?',
  )
  persistence.updateMessageReady = messageId => void makeReady.run(messageId)
  const close = persistence.close.bind(persistence)
  persistence.close = () => {
    database.close()
    close()
  }

  // Loading writes through whatever persistence is set already, and that cascades: set it after.
  persistence.load(stores.sqsStore, stores.snsStore, stores.s3Store)
  stores.sqsStore.persistence = persistence
  stores.snsStore.persistence = persistence
  stores.s3Store.persistence = persistence
  for (const queue of stores.sqsStore.allQueues()) queue.persistence = persistence
  return persistence
}
