import { EditError } from '../errors.ts'

/** Read before each call, and forgotten when Google finds it wrong: a rotated key mends itself. */
export type ApiKey = { read: () => Promise<string>; forget: () => void }

/** The key as it can go into a header. One with a line break in it is quoted in the error that fetch throws, and from there in every log. */
export async function readKey(apiKey: ApiKey): Promise<string> {
  const key = (await apiKey.read()).trim()
  if (/^[\x21-\x7e]+$/.test(key)) return key
  apiKey.forget()
  throw new EditError(
    'ERR_GEMINI_KEY',
    'the API key holds what no key holds, a blank or a line break for one: set it again, without what was pasted along',
  )
}
