import { type Answer, type Ask, newResponseId, sayFor } from './answer.ts'
import { allText, countImages } from './attachments.ts'
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
