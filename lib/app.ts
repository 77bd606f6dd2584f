import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SNSClient } from '@aws-sdk/client-sns'
import { SQSClient } from '@aws-sdk/client-sqs'
import { SSMClient } from '@aws-sdk/client-ssm'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { createBatchRows } from './aws/batch-rows.ts'
import { createBudgets } from './aws/budgets.ts'
import { readUploads } from './aws/events.ts'
import { createGates } from './aws/gates.ts'
import { createJsonReader } from './aws/json.ts'
import { createLatest } from './aws/latest.ts'
import { createLedger } from './aws/ledger.ts'
import { createSendAgain } from './aws/messages.ts'
import { createPace } from './aws/pace.ts'
import { createParking } from './aws/parking.ts'
import { createQueue, type Delivery, type Open } from './aws/queue.ts'
import { createRecipeBucket } from './aws/recipe-bucket.ts'
import { createRows } from './aws/rows.ts'
import { createPatientSecret, createSecret } from './aws/secrets.ts'
import { createSessions } from './aws/sessions.ts'
import { createStorage } from './aws/storage.ts'
import { createTable } from './aws/table.ts'
import { createTopic } from './aws/topic.ts'
import { collect } from './batches/collect.ts'
import type { BatchDesk } from './batches/desk.ts'
import { createEndRow } from './batches/ends.ts'
import { submit } from './batches/submit.ts'
import { answerWebhook, type UrlEvent } from './batches/webhook.ts'
import { readConfig } from './config.ts'
import { createEdit, type Deps } from './edit.ts'
import { EditError } from './errors.ts'
import { createGeminiBatches } from './gemini/batches.ts'
import { createGemini } from './gemini/client.ts'
import { createGeminiFiles } from './gemini/files.ts'
import { type Intake, openJobMessage, openUpload } from './intake.ts'
import { parseJson } from './job.ts'
import { createLog } from './log.ts'
import { parseOrder, placeOrder } from './orders.ts'

/** A function that Lambda feeds from a queue. */
type QueueHandler = (event: SQSEvent, context: Pick<Context, 'getRemainingTimeInMillis'>) => Promise<SQSBatchResponse>

/**
 * The SDK waits for ever by itself, and one silent socket would take a batch's other jobs along to the function's end. Of the
 * 20 s that are left to keep a reply, a first try that meets silence takes a quarter.
 */
const CLIENT = { requestHandler: { connectionTimeout: 10_000, socketTimeout: 5000 } }

/** Wiring: environment → config → clients → the functions' handlers. Refuses to start with `ERR_CONFIG_INVALID`. */
export function createApp(env: Record<string, string | undefined>) {
  const config = readConfig(env)
  const log = createLog(config.metricsNamespace)
  const now = Date.now
  const sqs = new SQSClient(CLIENT)
  const s3 = new S3Client(CLIENT)
  const storage = createStorage(s3)
  const recipes = createRecipeBucket(storage, config.buckets.recipes, now, fault =>
    log.error('settings.json is faulty', { fault }),
  )
  const ssm = new SSMClient(CLIENT)
  const apiKey = createSecret(ssm, {
    value: config.gemini.apiKey,
    parameter: config.gemini.apiKeyParameter,
  })
  const dynamodb = new DynamoDBClient(CLIENT)
  const rows = createRows(dynamodb, config.ledgerTable)
  const google = { apiKey, baseUrl: config.gemini.baseUrl, now }
  const table = createTable(dynamodb, config.ledgerTable, now)
  const deps: Deps = {
    ledger: createLedger(table, now),
    parking: createParking(table, now),
    gates: createGates(rows, now),
    pace: createPace(rows, now),
    budgets: createBudgets(rows, now, near => log.warn('budget near its end', near)),
    sessions: createSessions(dynamodb, config.ledgerTable, now),
    sendAgain: createSendAgain(sqs),
    storage,
    recipes,
    latest: createLatest(s3),
    topic: createTopic(new SNSClient(CLIENT), config.resultsTopicArn),
    gemini: createGemini(google),
    files: createGeminiFiles(google),
    resultsBucket: config.buckets.results,
    inputBuckets: config.inputBuckets,
    now,
    log,
  }
  const edit = createEdit(deps)
  const uploadSources = { storage, recipes, recipesBucket: config.buckets.recipes, uploadedJobs: config.uploadedJobs }

  /** A handler of one queue: `open` finds the jobs in a body. */
  function handle(
    url: string,
    open: (...message: Parameters<Open>) => { intake: Intake; body: string }[],
  ): QueueHandler {
    const queue = createQueue(sqs, url, { log, now })
    return (event, context) => {
      const deadlineAt = now() + context.getRemainingTimeInMillis()
      const toDelivery = ({ intake, body }: { intake: Intake; body: string }, messageId: string): Delivery => ({
        id: intake.id,
        body,
        run: () => edit({ ...intake, message: { queueUrl: url, body, messageId } }, { deadlineAt }),
      })
      return queue.consume(event, (body, travels) => open(body, travels).map(job => toDelivery(job, travels.messageId)))
    }
  }

  const queueOf = (url: string) => createQueue(sqs, url, { log, now })
  const batchDesk: BatchDesk = {
    ...deps,
    log,
    batches: createBatchRows(table, now),
    google: createGeminiBatches(google),
    queueBatch: (id, delayMs) => queueOf(config.queues.batches).send(JSON.stringify({ batch: id }), undefined, delayMs),
  }
  const endRow = createEndRow({
    ...deps,
    queueJob: (body, delayMs) => queueOf(config.queues.jobs).send(body, undefined, delayMs),
  })
  // Its role reads no results.
  const factsBuckets = config.inputBuckets.filter(bucket => bucket !== config.buckets.results)
  const webhookSecret = createPatientSecret(createSecret(ssm, config.webhookSecret), now)

  return {
    edit,
    /** A schedule's order: its jobs are put on the jobs queue. */
    async schedule(event: unknown): Promise<void> {
      const order = parseOrder(event)
      const queue = createQueue(sqs, config.queues.jobs, { log, now })
      const ids = await placeOrder(order, {
        readJson: createJsonReader(storage, factsBuckets),
        send: queue.send,
      })
      log.info('order placed', { kind: order.kind, schedule: order.scheduleArn, jobs: ids.length })
    },
    /** A tick of the clock: parked lines become batches. */
    batchSubmit: (_event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>) =>
      submit(batchDesk, { deadlineAt: now() + context.getRemainingTimeInMillis() }),
    /** Messages of the batches queue: a batch each. */
    batchCollect: ((event, context) => {
      const deadlineAt = now() + context.getRemainingTimeInMillis()
      return queueOf(config.queues.batches).consume(event, body => {
        const id = readBatchMessage(body)
        return [{ id, body, run: () => collect(batchDesk, endRow, id, { deadlineAt }) }]
      })
    }) satisfies QueueHandler,
    /** A call of the function URL: Google's, or anybody's. */
    webhook: (event: UrlEvent) => answerWebhook({ ...batchDesk, secret: webhookSecret }, event),
    /** Messages of the jobs queue: a job each. */
    job: handle(config.queues.jobs, (body, travels) => [{ intake: openJobMessage(body, travels), body }]),
    /** Messages of the uploads queue: S3's notices, with an upload or several each. */
    upload: handle(config.queues.uploads, (body, travels) => {
      const uploads = readUploads(parseJson(body, 'the message'))
      if (!uploads) throw new EditError('ERR_JOB_UNREADABLE', 'the message is no S3 event notification')
      const own = uploads.filter(({ notice }) => notice.bucket === config.buckets.uploads)
      // Nothing is written for the others: an answer to a result would be the next event, for ever.
      for (const { notice } of uploads) {
        if (!own.some(upload => upload.notice === notice))
          log.error('notice of a foreign bucket', { bucket: notice.bucket })
      }
      return own.map(({ notice, body }) => ({ intake: openUpload(notice, travels, uploadSources), body }))
    }),
  }
}

function readBatchMessage(body: string): string {
  const message = parseJson(body, 'the message') as { batch?: unknown } | null
  if (typeof message?.batch === 'string') return message.batch
  throw new EditError('ERR_JOB_UNREADABLE', 'the message names no batch')
}
