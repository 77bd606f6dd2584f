import { createHash } from 'node:crypto'
import type { Claim, SentFile } from './aws/claim.ts'
import { type Input, type LargeInput, readInputs } from './aws/inputs.ts'
import type { Pin } from './aws/storage.ts'
import { EditError } from './errors.ts'
import type { GeminiFiles } from './gemini/files.ts'
import { buildRequest, buildWordsRequest, chooseInline } from './gemini/request.ts'
import { type Archive, BrokenLine, type History, readHistory, readLast } from './history.ts'
import type { Job, JobInput } from './job.ts'
import type { Log } from './log.ts'
import { type Plan, settleRatio } from './plan.ts'
import { checkInputs, PROMPTS } from './prompts.ts'
import type { InputFacts, Result, SessionFacts } from './result.ts'
import { retry } from './retry.ts'
import type { Turn } from './session.ts'

/** What goes to the model beside the words: this turn's pictures, and all that was said before. */
export type Brought = { inputs: Input[]; history: History['contents']; session: SessionFacts | undefined }

export type Material = {
  /** Read once for each model, since no history survives a change of it. */
  bring: (plan: Plan) => Promise<Brought>
  /** The pixels of the picture that the turn goes on from. */
  base: Plan['base']
  /** What Google says that it has lost is uploaded again. */
  forgetFiles: (message: string) => Promise<void>
}

type Sources = Archive & {
  claim: Claim
  files: GeminiFiles
  inputBuckets: readonly string[]
  /** Versions that the event itself named. */
  pins: ReadonlyMap<string, Pin>
  timeLeftMs: () => number
  now: () => number
}

/** The material of a job; what is learnt of its inputs and its session is written into the draft. */
export async function openMaterial(
  sources: Sources,
  job: Job,
  turn: Turn | undefined,
  draft: Result,
): Promise<Material> {
  const { claim, now } = sources
  const last = turn?.last && (await readLast(sources, turn.last))
  if (turn) checkTurn(job, last)
  const picture = last?.images.at(-1)
  let brought: { modelId: string; promise: Promise<Brought> } | undefined

  async function bring(plan: Plan): Promise<Brought> {
    const startedAt = now()
    // A text model writes words and draws nothing: the line is not its business.
    const line = turn && !plan.words ? await continueLine(sources, plan, turn, last) : undefined
    const base: JobInput[] = line?.base ? [{ uri: line.base, role: 'base' }] : []
    const inputs = await readInputs(sources.storage, [...base, ...plan.job.inputs], {
      allowedBuckets: sources.inputBuckets,
      pins: claim.inputs ? toPins(claim.inputs) : sources.pins,
      chooseInline: sizes => chooseInline(sizes, line?.history.sizeBytes),
      send: input => sendAhead(sources, input),
    })
    draft.inputs = inputs.map(input => input.facts)
    draft.session = line?.session ?? draft.session
    draft.timing.inputsMs += now() - startedAt
    return { inputs, history: line?.history.contents ?? [], session: line?.session }
  }

  return {
    bring(plan) {
      if (brought?.modelId === plan.modelId) return brought.promise
      const promise = bring(plan)
      brought = { modelId: plan.modelId, promise }
      // What could not be read is read again by the next try.
      promise.catch(() => {
        if (brought?.promise === promise) brought = undefined
      })
      return promise
    },
    base: picture && { width: picture.width, height: picture.height },
    async forgetFiles(message) {
      brought = undefined
      const isNamed = ({ name }: SentFile) => message.includes(name.slice(name.indexOf('/') + 1))
      const isLost = claim.files.some(isNamed) ? isNamed : () => true
      await sources.ledger.keepFiles(
        claim,
        claim.files.filter(file => !isLost(file)),
      )
    },
  }
}

/** What Gemini is asked by a plan and its material, in either lane. The ratio is settled here: the job stays as it was wished. */
export function buildQuestion(plan: Plan, { inputs, history }: Pick<Brought, 'inputs' | 'history'>) {
  if (plan.words) return buildWordsRequest(plan.modelId, plan.words)
  const facts = inputs.map(input => input.facts)
  const images = inputs.map(input => ({ ...input, mimeType: input.facts.mimeType }))
  return buildRequest(plan.modelId, settleRatio(plan, facts).job, plan.prompt, images, history)
}

type ContinuedLine = { history: History; session: SessionFacts; base?: string }

const NOTHING_SAID: History = { contents: [], sizeBytes: 0 }

/** All that was said so far, or, where that can't go back to the model, the last picture. */
async function continueLine(
  sources: Sources,
  plan: Plan,
  { facts, last: lastTurn }: Turn,
  last: Result | undefined,
): Promise<ContinuedLine> {
  if (!lastTurn) return { history: NOTHING_SAID, session: facts }
  try {
    if (!last) throw new BrokenLine(`the result of job ${lastTurn.job} is gone`)
    return { history: await readHistory(sources, last, plan), session: facts }
  } catch (error) {
    if (!(error instanceof BrokenLine)) throw error
    const picture = last?.images.at(-1)
    return {
      history: NOTHING_SAID,
      session: { ...facts, fresh: error.message },
      base: picture && `s3://${sources.resultsBucket}/${picture.key}`,
    }
  }
}

/** A turn may leave out the picture that it goes on from; a first turn has none. */
function checkTurn(job: Job, last: Result | undefined): void {
  const count = job.inputs.length
  try {
    checkInputs(job.operation, last && count < PROMPTS[job.operation].inputs.least ? count + 1 : count)
  } catch (error) {
    if (last || !(error instanceof EditError)) throw error
    throw new EditError(
      error.code,
      `${error.message}, and no turn of session ${job.session} is done that it could go on from`,
    )
  }
}

/** Google deletes files after 48 hours; what is about to go is not relied on. */
const EXPIRY_MARGIN_MS = 10 * 60_000

/** Uploads an input once for all calls of its job, over all invocations. */
async function sendAhead({ claim, ledger, files, now, timeLeftMs }: Sources, input: LargeInput): Promise<SentFile> {
  const isInput = (file: SentFile) => file.uri === input.uri && file.etag === input.etag
  const known = claim.files.find(file => isInput(file) && file.expiresAt > now() + EXPIRY_MARGIN_MS)
  if (known) return known
  let sha256 = ''
  async function* hashed() {
    const hash = createHash('sha256')
    for await (const chunk of input.stream()) {
      hash.update(chunk)
      yield chunk
    }
    sha256 = hash.digest('hex')
  }
  const upload = { mimeType: input.mimeType, sizeBytes: input.sizeBytes, stream: hashed }
  const { name, uri: fileUri, expiresAt } = await retry(() => files.upload(upload, timeLeftMs), { timeLeftMs })
  const sent = { uri: input.uri, etag: input.etag, sha256, name, fileUri, expiresAt }
  await ledger.keepFiles(claim, [...claim.files.filter(file => !isInput(file)), sent])
  return sent
}

/** After a job is over: deletes what lies with Google for it. It would be gone in two days, so a failure is but a warning. */
export async function removeFiles(files: GeminiFiles, claim: Claim, log: Pick<Log, 'warn'>): Promise<void> {
  await Promise.all(
    claim.files.map(({ name }) =>
      files.remove(name).catch((error: unknown) => log.warn('file not deleted', { job: claim.id, file: name, error })),
    ),
  )
}

function toPins(inputs: InputFacts[]): Map<string, Pin> {
  return new Map(inputs.map(({ uri, etag, versionId }) => [uri, { etag, versionId }]))
}
