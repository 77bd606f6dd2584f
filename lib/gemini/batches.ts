import { z } from 'zod'
import { EditError } from '../errors.ts'
import { retry } from '../retry.ts'
import { createGeminiFiles } from './files.ts'
import { readLines, toRange } from './lines.ts'
import { createRest, type RestOptions } from './rest.ts'

const BATCH_STATES = [
  'PENDING',
  'RUNNING',
  'SUCCEEDED',
  'PARTIALLY_SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'EXPIRED',
] as const
export type BatchState = (typeof BATCH_STATES)[number]

/** A batch as Google tells of it. `state` is undefined for one that is not known here: it is neither over nor lost. */
export type GoogleBatch = {
  name: string
  displayName?: string
  state?: BatchState
  /** Whether Google calls it over, in whatever state. */
  isDone: boolean
  responsesFile?: string
  message?: string
}

const text = z.string().optional().catch(undefined)
const Output = z.object({ responsesFile: text }).optional().catch(undefined)
const Operation = z.object({
  name: z.string(),
  done: z.boolean().optional().catch(undefined),
  metadata: z.object({ displayName: text, state: text, output: Output }).optional().catch(undefined),
  response: z.object({ responsesFile: text, output: Output }).optional().catch(undefined),
  error: z.object({ message: text }).optional().catch(undefined),
})

/** An upload's type is refused now and then (public reports, 2026): the next is tried. */
const MIME_TYPES = ['jsonl', 'application/jsonl', 'text/plain'] as const

export type GeminiBatches = ReturnType<typeof createGeminiBatches>

/** Google's Batch API and the files that go with it. */
export function createGeminiBatches(options: RestOptions) {
  const rest = createRest(options)
  const files = createGeminiFiles(options)
  const find = async (displayName: string): Promise<GoogleBatch | undefined> => {
    for (let pageToken = ''; ; ) {
      const page = await rest.json('GET', `/v1beta/batches?pageSize=100${pageToken && `&pageToken=${pageToken}`}`)
      const found = readPage(page).find(batch => batch.displayName === displayName)
      if (found || typeof page.nextPageToken !== 'string' || page.nextPageToken === '') return found
      pageToken = encodeURIComponent(page.nextPageToken)
    }
  }

  return {
    /** Uploads the lines of a batch as one file. `stream` gives them from the first, once for each type that is tried. */
    async upload(
      sizeBytes: number,
      stream: () => AsyncIterable<Uint8Array>,
      timeLeftMs: () => number,
    ): Promise<string> {
      for (const mimeType of MIME_TYPES) {
        try {
          return (await files.upload({ mimeType, sizeBytes, stream }, timeLeftMs)).name
        } catch (error) {
          if (!(error instanceof EditError) || error.code !== 'ERR_GEMINI_REQUEST' || mimeType === MIME_TYPES.at(-1))
            throw error
        }
      }
      throw new Error('unreachable: the last type returns or throws')
    },

    /** Creates a batch. NOT idempotent: two calls are two bills. */
    async create(model: string, displayName: string, fileName: string): Promise<GoogleBatch> {
      const body = { batch: { displayName, inputConfig: { fileName } } }
      return readNamed(await rest.json('POST', `/v1beta/models/${model}:batchGenerateContent`, body))
    },

    /** The batch that bears our id, among all of the project. */
    find,

    /** The batch, or `undefined` where Google says that it knows none of that name. */
    async get(name: string): Promise<GoogleBatch | undefined> {
      try {
        return readNamed(await rest.json('GET', `/v1beta/${name}`))
      } catch (error) {
        if (error instanceof EditError && error.code === 'ERR_MODEL_GONE') return undefined
        throw error
      }
    },

    async cancel(name: string): Promise<void> {
      await rest.json('POST', `/v1beta/${name}:cancel`, {})
    },

    removeFile: files.remove,

    /**
     * Lines of a file from a byte on, one in memory at a time; each with the byte that follows it. A download that breaks
     * off goes on behind its last line: who works on each line reads slowly, and a server may hang up on that.
     */
    async *lines(name: string, from: number): AsyncGenerator<{ line: string; end: number }> {
      const path = `/v1beta/${name}:download?alt=media`
      for (let at = from, opened = -1; opened < at; ) {
        opened = at
        const open = () => rest.open(path, { headers: toRange(opened), timeoutMs: DOWNLOAD_WITHIN_MS })
        try {
          for await (const next of readLines(await retry(open, { tries: 3 }), opened)) {
            at = next.end
            yield next
          }
          return
        } catch (error) {
          const brokeOff = error instanceof EditError && error.code === 'ERR_GEMINI_UNAVAILABLE'
          if (!brokeOff || at === opened) throw error
        }
      }
    },

    /** Registers the webhook; resolves to its id and its secret, which Google shows this once. */
    async registerWebhook(name: string, uri: string): Promise<{ id: string; secret: string }> {
      const body = { name, uri, subscribed_events: ['batch.succeeded', 'batch.failed', 'batch.expired'] }
      const made = await rest.json('POST', '/v1beta/webhooks', body)
      const secret = made.new_signing_secret ?? made.newSigningSecret
      if (typeof secret !== 'string')
        throw new EditError('ERR_GEMINI_UNAVAILABLE', 'Gemini registers the webhook and shows no secret')
      return { id: String(made.id ?? ''), secret }
    },

    async removeWebhook(id: string): Promise<void> {
      await rest.json('DELETE', `/v1beta/webhooks/${id}`)
    },
  }
}

/** Longer than a function lives: its own end comes first. */
const DOWNLOAD_WITHIN_MS = 900_000

/** The batches of one page: an empty list may lack its field. What can't be read may be the one that is looked for. */
function readPage({ operations = [] }: Record<string, unknown>): GoogleBatch[] {
  if (!Array.isArray(operations))
    throw new EditError('ERR_GEMINI_UNAVAILABLE', `Gemini lists its batches as ${typeof operations}`)
  return operations.map(readNamed)
}

function readNamed(json: unknown): GoogleBatch {
  const batch = readOperation(json)
  if (batch) return batch
  throw new EditError('ERR_GEMINI_UNAVAILABLE', 'Gemini tells of a batch without its name')
}

function readOperation(json: unknown): GoogleBatch | undefined {
  const parsed = Operation.safeParse(json)
  if (!parsed.success) return undefined
  const { name, done, metadata, response, error } = parsed.data
  const state = metadata?.state?.replace(/^(BATCH|JOB)_STATE_/, '')
  return {
    name,
    displayName: metadata?.displayName,
    state: BATCH_STATES.find(known => known === state),
    isDone: done === true,
    responsesFile: response?.responsesFile ?? response?.output?.responsesFile ?? metadata?.output?.responsesFile,
    message: error?.message,
  }
}
