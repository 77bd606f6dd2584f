import { type Catalogue, liveModels, type Model } from '../../../lib/models.ts'
import { noSuchModel } from './serving.ts'
import { jsonReply, type Reply } from './wire.ts'

const LIST = /^\/v1(?:beta)?\/models(?:\/([^/:]+))?$/

/** The models that are served on `today`, or one of them; `undefined` where the path asks for neither. */
export function answerModels(models: Catalogue, today: string, path: string): Reply | undefined {
  const match = path.match(LIST)
  if (!match) return
  const live = liveModels(models, today).map(id => describe(id, models[id]))
  if (!match[1]) return jsonReply({ models: live })
  const found = live.find(({ name }) => name === `models/${match[1]}`)
  if (!found) throw noSuchModel(match[1])
  return jsonReply(found)
}

function describe(id: string, model: Model | undefined) {
  return {
    name: `models/${id}`,
    version: '001',
    displayName: model?.nickname,
    supportedGenerationMethods: ['generateContent', 'countTokens'],
    thinking: model?.thinks,
  }
}
