import type { IncomingMessage } from 'node:http'
import { GoogleError, invalid, rpc } from './google-error.ts'

const UNREGISTERED =
  "Method doesn't allow unregistered callers (callers without established identity). " +
  'Please use API Key or other form of API consumer identity to call this API.'
const WRONG = 'API key not valid. Please pass a valid API key.'

/** Google's answer to a key that it doesn't know: a 400, told from other 400s by its reason only. */
export function wrongKey(): GoogleError {
  const metadata = { service: 'generativelanguage.googleapis.com' }
  return invalid(WRONG, [
    rpc('ErrorInfo', { reason: 'API_KEY_INVALID', domain: 'googleapis.com', metadata }),
    rpc('LocalizedMessage', { locale: 'en-US', message: WRONG }),
  ])
}

/** Refuses a request without the key, in the header or the query. */
export function checkKey(request: IncomingMessage, url: URL, apiKey: string): void {
  const given = request.headers['x-goog-api-key'] ?? url.searchParams.get('key')
  if (!given) throw new GoogleError(403, UNREGISTERED)
  if (given !== apiKey) throw wrongKey()
}
