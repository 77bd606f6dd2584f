import type { Catalogue, Model } from '../../../lib/models.ts'
import { GoogleError } from './google-error.ts'

const READS_ONLY = /^gemini-.*(flash|pro)(-\w+)?$/

/** The image model behind an id on `today`; `undefined` for one that answers in text only; Google's 404 for one that is gone. */
export function findServed(id: string, catalogue: Catalogue, today: string): Model | undefined {
  const model = Object.hasOwn(catalogue, id) ? catalogue[id] : undefined
  if (model && !(model.shutdown && model.shutdown <= today)) return model
  if (!model && READS_ONLY.test(id) && !id.includes('image')) return
  throw noSuchModel(id)
}

/** Google's answer to a model that is retired or never was. */
export function noSuchModel(id: string): GoogleError {
  return new GoogleError(
    404,
    `models/${id} is not found for API version v1beta, or is not supported for generateContent. Call ModelService.ListModels to see the list of available models and their supported methods.`,
  )
}
