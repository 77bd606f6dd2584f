import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { ClockStart } from '../clock.ts'
import type { AwsCall } from './call-record.ts'
import type { FauxqsResources } from './resources.ts'

export type StorageOptions = {
  /** Where the state is kept; in memory when absent. */
  folder: string | undefined
  clockFactor: number
  clockStart: ClockStart
  resources: FauxqsResources
  /** Told every call that the services get. */
  onCall: ((call: AwsCall) => void) | undefined
}

export type Storage = {
  /** S3, SQS and SNS. */
  endpoint: string
  dynamodbEndpoint: string
  close(): Promise<void>
  /** Ends it as a power cut would. */
  kill(): Promise<void>
}

/**
 * Starts S3, SQS, SNS and DynamoDB in a thread of their own: there they can live in the stack's time without
 * changing the time of whoever started the stack.
 */
export async function startStorage({ onCall, ...options }: StorageOptions): Promise<Storage> {
  const worker = new Worker(new URL('./storage-thread.ts', import.meta.url), {
    workerData: { ...options, isRecorded: onCall !== undefined },
    execArgv: [],
  })
  const [addresses] = (await once(worker, 'message')) as [Pick<Storage, 'endpoint' | 'dynamodbEndpoint'>]
  worker.on('message', ({ call }: { call?: AwsCall }) => call && onCall?.(call))
  const exited = once(worker, 'exit')
  return {
    ...addresses,
    async close() {
      worker.postMessage('close')
      await exited
    },
    async kill() {
      await worker.terminate()
    },
  }
}
