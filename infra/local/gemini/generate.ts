import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Catalogue } from '../../../lib/models.ts'
import { type Answer, type Ask, answerWithImage } from './answer.ts'
import { allText, checkSignatures, countImages, readInputs, readPrompt } from './attachments.ts'
import type { Call, CallLog } from './calls.ts'
import type { Control } from './control.ts'
import { FAULTS } from './faults.ts'
import type { Files } from './files.ts'
import { type GenerateRequest, readCountRequest, readGenerateRequest } from './generate-request.ts'
import { addGrounding } from './grounding.ts'
import type { createLimiter } from './limiter.ts'
import { REPLIES } from './replies.ts'
import { checkRules } from './rules.ts'
import { findServed } from './serving.ts'
import { answerWithText, TEXT_REPLIES } from './text-answer.ts'
import { promptUsage } from './usage.ts'
import { errorReply, jsonReply, parseJson, type Reply, readBody, zipFor } from './wire.ts'

/** What the calls of the model need of the stand-in. */
export type Desk = {
  models: Catalogue
  today: () => string
  sleep: (ms: number) => Promise<unknown>
  log: CallLog
  control: Control
  limiter: ReturnType<typeof createLimiter>
  files: Files
}
export type Exchange = { request: IncomingMessage; response: ServerResponse; call: Call; id: string }

const TIER = { 'x-gemini-service-tier': 'standard' }

/** `:generateContent`. Resolves to `gone` where a fault took the connection. */
export async function generate(desk: Desk, exchange: Exchange): Promise<Reply | 'gone'> {
  const { call, id, response } = exchange
  const body = await readBody(exchange.request)
  const model = findServed(id, desk.models, desk.today())
  const request = readGenerateRequest(parseJson(body))
  const prompt = readPrompt(request)
  call.images = countImages(request)
  desk.log.enter(call, prompt)

  const target = { model: id, prompt }
  await desk.control.whenReleased(target)
  const waitMs = desk.control.takeWait(target)
  if (waitMs) await desk.sleep(waitMs)
  const answer = async () => {
    try {
      desk.limiter.admit(id)
      checkRules({ id, model, request })
      return await zipFor(
        exchange.request,
        jsonReply(await answerTo(desk, call, { id, model, request, prompt }), 200, TIER),
      )
    } catch (error) {
      return errorReply(error)
    }
  }
  const order = desk.control.takeFault(target)
  if (!order) return answer()
  call.outcome = order.fault
  const answerStruck = async () => {
    const reply = await answer()
    // A forced reply has left its own name.
    call.outcome = order.fault
    return reply
  }
  return FAULTS[order.fault]({ model: id, response, delayMs: order.delayMs ?? 2000, answer: answerStruck })
}

/** One row of a batch, as a call of its own would be answered; Google's refusal of it is thrown. */
export async function generateRow(desk: Desk, id: string, json: unknown): Promise<Answer> {
  const call = desk.log.start('batchGenerateContent', id)
  try {
    const model = findServed(id, desk.models, desk.today())
    const request = readGenerateRequest(json)
    const prompt = readPrompt(request)
    call.images = countImages(request)
    desk.log.enter(call, prompt)
    checkRules({ id, model, request })
    call.outcome = 'answered'
    return await answerTo(desk, call, { id, model, request, prompt })
  } catch (error) {
    call.outcome = 'refused'
    throw error
  } finally {
    desk.log.end(call)
  }
}

type Passed = Omit<Ask, 'model' | 'inputs'> & { model: Ask['model'] | undefined }

async function answerTo(desk: Desk, call: Call, { model, ...passed }: Passed): Promise<Answer> {
  const { id, request } = passed
  const inputs = readInputs(request, desk.files.open)
  if (!model) return answerInWords(desk, call, { ...passed, inputs })
  if (model.thinks) checkSignatures(id, request, desk.files.open)
  const ask = { ...passed, model, inputs }
  const forced = desk.control.takeReply({ model: id, prompt: ask.prompt })
  if (!forced) return addGrounding(ask, await answerWithImage(ask))
  call.outcome = forced.reply
  const answer = await REPLIES[forced.reply](ask)
  return forced.reply === 'ungrounded' ? answer : addGrounding(ask, answer)
}

/** A text model's answer; of the forced replies it knows those of `TEXT_REPLIES`. */
function answerInWords(desk: Desk, call: Call, ask: Omit<Ask, 'model'>): Answer {
  const forced = desk.control.takeReply({ model: ask.id, prompt: ask.prompt })?.reply
  const reply = forced && TEXT_REPLIES[forced]
  if (!reply) return addGrounding(ask, answerWithText(ask))
  call.outcome = forced
  return reply(ask)
}

/** `:countTokens`. */
export async function countTokens(desk: Desk, { request, call, id }: Exchange): Promise<Reply> {
  const model = findServed(id, desk.models, desk.today())
  const counted: GenerateRequest = readCountRequest(parseJson(await readBody(request)))
  call.prompt = readPrompt(counted)
  const { totalTokenCount, promptTokensDetails } = promptUsage(model, allText(counted), countImages(counted))
  return zipFor(request, jsonReply({ totalTokens: totalTokenCount, promptTokensDetails }))
}
