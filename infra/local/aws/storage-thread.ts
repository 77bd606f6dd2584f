import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { createClock } from '../clock.ts'
import { installVirtualDate } from '../virtual-time.ts'
import type { AwsCall } from './call-record.ts'
import { startDynalite } from './dynalite.ts'
import { startFauxqs } from './fauxqs.ts'
import { createFauxqsResources } from './resources.ts'
import type { StorageOptions } from './storage.ts'

const { folder, clockFactor, clockStart, resources, isRecorded } = workerData as StorageOptions & {
  isRecorded: boolean
}

// Deadlines are dates to fauxqs, so they pass at the stack's speed; a long poll waits in the machine's time, because
// at an hour a second it would otherwise come back empty a hundred times in that second.
const clock = createClock(clockFactor, clockStart)
if (!clock.isReal) installVirtualDate(clock)

const tell = (call: AwsCall) => isRecorded && parentPort?.postMessage({ call })
const [fauxqs, dynalite] = await Promise.all([
  startFauxqs(folder && join(folder, 'fauxqs'), tell),
  startDynalite(folder && join(folder, 'dynalite'), tell),
])
createFauxqsResources(fauxqs, resources)

parentPort?.once('message', async () => {
  await Promise.all([fauxqs.app.close(), dynalite.close()])
  parentPort?.close()
})
parentPort?.postMessage({ endpoint: fauxqs.endpoint, dynamodbEndpoint: dynalite.endpoint })
