import { type Answer, type Ask, newResponseId, sayFor } from './answer.ts'
import { allText, countImages } from './attachments.ts'
import type { ReplyName } from './replies.ts'
import { fillSchema } from './schema-filler.ts'
import { promptUsage, replyUsage, thoughtTokens } from './usage.ts'

/** What a model that draws nothing answers: words, or JSON of the schema that was asked for. */
export function answerWithText(ask: Omit<Ask, 'model'>): Answer {
  const config = ask.request.generationConfig
  const schema = config?.responseJsonSchema ?? config?.responseSchema
  const asJson = config?.responseMimeType === 'application/json'
  const text = asJson ? JSON.stringify(fillSchema(schema ?? {}, ask.prompt)) : describe(ask)
  const prompt = promptUsage(undefined, allText(ask.request), countImages(ask.request))
  return {
    candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP', index: 0 }],
    usageMetadata: replyUsage(prompt, {
      text,
      imageTokens: 0,
      thoughts: thoughtTokens(true, config?.thinkingConfig?.thinkingLevel),
    }),
    modelVersion: ask.id,
    responseId: newResponseId(),
  }
}

function describe(ask: Omit<Ask, 'model'>): string {
  return sayFor(ask).replace('picture', 'answer').replace('drawn', 'written')
}

/** Replies of a text model that are out of the ordinary, under the names that image models' have. */
export const TEXT_REPLIES: Partial<Record<ReplyName, (ask: Omit<Ask, 'model'>) => Answer>> = {
  ungrounded: answerWithText,
  'text-only': ask => withText(answerWithText(ask), "I'd rather chat about it."),
  SAFETY: ask => ({ ...answerWithText(ask), candidates: [{ finishReason: 'SAFETY', index: 0 }] }),
}

function withText(answer: Answer, text: string): Answer {
  return { ...answer, candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP', index: 0 }] }
}
