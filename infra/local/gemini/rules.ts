import type { Model } from '../../../lib/models.ts'
import type { Content, GenerateRequest, Part } from './generate-request.ts'
import { invalid } from './google-error.ts'

/** A request and the model it was sent to; without `model`, one that answers in text only. */
export type Subject = { id: string; model: Model | undefined; request: GenerateRequest }

/** Google's answer where the request breaks the rule. */
type Rule = (subject: Subject) => string | undefined | false

const IMAGE_TYPES = ['image/png', 'image/jpeg', 'image/webp', 'image/heic', 'image/heif']
const SAMPLING = ['temperature', 'topP', 'topK', 'seed'] as const
/** Nano Banana 2.1 and later refuse sampling parameters. */
const REFUSES_SAMPLING = /^gemini-nano-banana-/

const RULES = {
  'contents are there': ({ request }) =>
    !request.contents?.length && '* GenerateContentRequest.contents: contents is not specified\n',

  'a turn has parts': ({ request }) =>
    firstOf(contents(request), ({ parts }, at) =>
      parts?.length ? undefined : `* GenerateContentRequest.contents[${at}].parts: contents.parts must not be empty.\n`,
    ),

  'a part has data': ({ request }) =>
    firstPart(request, (part, turn, at) => {
      const where = `* GenerateContentRequest.contents[${turn}].parts[${at}].data`
      return !hasData(part) && `${where}: required oneof field 'data' must have one initialized field\n`
    }),

  'a role is user or model': ({ request }) =>
    contents(request).some(({ role = 'user' }) => !['user', 'model'].includes(role)) &&
    'Please use a valid role: user, model.',

  'a file is an image': ({ request }) =>
    firstPart(request, part => {
      const mimeType = (part.inlineData ?? part.fileData)?.mimeType
      return mimeType !== undefined && !IMAGE_TYPES.includes(mimeType) && `Unsupported MIME type: ${mimeType}`
    }),

  'inline data names its type': ({ request }) =>
    firstPart(request, (part, turn, at) => {
      const where = `* GenerateContentRequest.contents[${turn}].parts[${at}].inline_data.mime_type`
      return part.inlineData && !part.inlineData.mimeType && `${where}: mime_type must not be empty\n`
    }),

  'images are not too many': ({ model, request }) => {
    const count = contents(request)
      .filter(({ role }) => role !== 'model')
      .flatMap(({ parts = [] }) => parts)
      .filter(part => part.inlineData ?? part.fileData).length
    return model && count > model.references.most && tooMany(count, model.references.most)
  },

  'the size is one of the model': ({ model, request }) => {
    const size = request.generationConfig?.imageConfig?.imageSize
    if (!model || size === undefined || model.sizes.some(known => known === size)) return
    return oneOf('image_size', model.sizes)
  },

  'the ratio is one of the model': ({ model, request }) => {
    const ratio = request.generationConfig?.imageConfig?.aspectRatio
    if (!model || ratio === undefined || model.ratios.some(known => known === ratio)) return
    return oneOf('aspect_ratio', model.ratios)
  },

  'the thinking level is one of the model': ({ model, request }) => {
    const level = request.generationConfig?.thinkingConfig?.thinkingLevel
    if (!model || !level || model.thinkingLevels.some(known => known === level)) return
    return `Thinking level ${level} is not supported for this model. Please retry with other thinking level.`
  },

  'thinking is for models that think': ({ id, model, request }) =>
    model && !model.thinks && request.generationConfig?.thinkingConfig && `Thinking is not enabled for models/${id}`,

  'sampling is left alone': ({ id, request }) => {
    const given = SAMPLING.filter(name => request.generationConfig?.[name] !== undefined)
    if (!REFUSES_SAMPLING.test(id) || !given.length) return
    return given
      .map(name => `* GenerateContentRequest.generation_config.${snake(name)}: not supported by ${id}\n`)
      .join('')
  },

  'one candidate is asked for': ({ request }) =>
    (request.generationConfig?.candidateCount ?? 1) > 1 && 'Multiple candidates is not enabled for this model',

  'image models answer no JSON': ({ id, model, request }) =>
    model &&
    (request.generationConfig?.responseMimeType ?? 'text/plain') !== 'text/plain' &&
    `JSON mode is not enabled for models/${id}`,

  'text models answer text': ({ id, model, request }) =>
    !model &&
    request.generationConfig?.responseModalities?.includes('IMAGE') &&
    `The requested combination of response modalities (IMAGE) is not supported by the model. models/${id} accepts the following combination of response modalities:\n* TEXT\n`,

  'the model can search': ({ model, request }) => {
    const searches = request.tools?.flatMap(tool => tool.googleSearch ?? []) ?? []
    if (!model || !searches.length) return
    if (!model.grounding.includes('web')) return 'Google Search as a tool is not enabled for this model'
    const images = searches.some(search => search.searchTypes?.imageSearch)
    return images && !model.grounding.includes('images') && 'Image search is not enabled for this model'
  },
} as const satisfies Record<string, Rule>

/** Refuses, in Google's words, what Google refuses; the first broken rule answers. */
export function checkRules(subject: Subject): void {
  for (const rule of Object.values(RULES) as Rule[]) {
    const broken = rule(subject)
    if (broken) throw invalid(broken)
  }
}

const contents = (request: GenerateRequest): Content[] => request.contents ?? []
const snake = (name: string) => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

function hasData({ thought: _, thoughtSignature: __, ...data }: Part): boolean {
  return Object.values(data).some(value => value !== undefined)
}

function firstOf<T>(items: readonly T[], look: (item: T, at: number) => string | undefined | false) {
  for (const [at, item] of items.entries()) {
    const found = look(item, at)
    if (found) return found
  }
}

function firstPart(
  request: GenerateRequest,
  look: (part: Part, turn: number, at: number) => string | undefined | false,
) {
  return firstOf(contents(request), ({ parts = [] }, turn) => firstOf(parts, (part, at) => look(part, turn, at)))
}

function oneOf(field: string, values: readonly string[]): string {
  const where = `* GenerateContentRequest.generation_config.image_config.${field}: ${field}`
  if (!values.length) return `${where} is not supported by this model\n`
  return `${where} must be one of ${values.map(value => `'${value}'`).join(', ')}\n`
}

function tooMany(count: number, most: number): string {
  return `Too many images in the request: ${count}. This model takes up to ${most}.`
}
