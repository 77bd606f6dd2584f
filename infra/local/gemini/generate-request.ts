import { type Read, readMessage } from './fields.ts'

const MODALITIES = ['MODALITY_UNSPECIFIED', 'TEXT', 'IMAGE', 'AUDIO'] as const
const LEVELS = ['THINKING_LEVEL_UNSPECIFIED', 'MINIMAL', 'LOW', 'MEDIUM', 'HIGH'] as const

const PART = {
  fields: {
    text: 'string',
    inlineData: { fields: { mimeType: 'string', data: 'bytes', displayName: 'string' } },
    fileData: { fields: { mimeType: 'string', fileUri: 'string', displayName: 'string' } },
    thought: 'boolean',
    thoughtSignature: 'bytes',
    functionCall: 'any',
    functionResponse: 'any',
    executableCode: 'any',
    codeExecutionResult: 'any',
    videoMetadata: 'any',
    mediaResolution: 'any',
    partMetadata: 'any',
  },
} as const

const CONTENT = { fields: { role: 'string', parts: { list: PART } } } as const

const GENERATION_CONFIG = {
  fields: {
    responseModalities: { list: MODALITIES },
    imageConfig: { fields: { aspectRatio: 'string', imageSize: 'string' } },
    thinkingConfig: { fields: { thinkingLevel: LEVELS, includeThoughts: 'boolean', thinkingBudget: 'number' } },
    temperature: 'number',
    topP: 'number',
    topK: 'number',
    seed: 'number',
    candidateCount: 'number',
    maxOutputTokens: 'number',
    stopSequences: { list: 'string' },
    presencePenalty: 'number',
    frequencyPenalty: 'number',
    responseLogprobs: 'boolean',
    logprobs: 'number',
    responseMimeType: 'string',
    responseSchema: 'any',
    responseJsonSchema: 'any',
    mediaResolution: 'string',
    speechConfig: 'any',
    enableEnhancedCivicAnswers: 'boolean',
  },
} as const

const SEARCH_TYPES = { fields: { webSearch: { fields: {} }, imageSearch: { fields: {} } } } as const
const TOOL = {
  fields: {
    googleSearch: { fields: { timeRangeFilter: 'any', searchTypes: SEARCH_TYPES } },
    googleSearchRetrieval: 'any',
    codeExecution: 'any',
    functionDeclarations: 'any',
    urlContext: 'any',
    googleMaps: 'any',
    fileSearch: 'any',
    computerUse: 'any',
  },
} as const

const GENERATE = {
  fields: {
    model: 'string',
    contents: { list: CONTENT },
    systemInstruction: CONTENT,
    tools: { list: TOOL },
    toolConfig: 'any',
    safetySettings: 'any',
    generationConfig: GENERATION_CONFIG,
    cachedContent: 'string',
    serviceTier: 'string',
    store: 'boolean',
  },
} as const

export type Part = Read<typeof PART>
export type Content = Read<typeof CONTENT>
export type GenerateRequest = Read<typeof GENERATE>

/** The body of `:generateContent`; refuses names and types that Google's gateway refuses, all at once. */
export function readGenerateRequest(json: unknown): GenerateRequest {
  return readMessage(GENERATE, json)
}

const COUNT = { fields: { contents: { list: CONTENT }, generateContentRequest: GENERATE } } as const

/** The contents that `:countTokens` is asked about. */
export function readCountRequest(json: unknown): GenerateRequest {
  const read = readMessage(COUNT, json)
  return read.generateContentRequest ?? { contents: read.contents ?? [] }
}
