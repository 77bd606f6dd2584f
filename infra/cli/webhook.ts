import { parseArgs } from 'node:util'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { createGeminiBatches } from '../../lib/gemini/batches.ts'
import { type Command, UsageError } from './command.ts'

const HELP = `darkroom webhook register URL

Registers the address of the function \`webhook\` with Google, so that a batch is collected as soon as it is over and not with the
next tick of the clock. Google shows the webhook's secret once: it goes straight into the SSM SecureString that
GEMINI_WEBHOOK_SECRET_PARAMETER names (/darkroom/dev/gemini-webhook-secret) and is never printed.

GEMINI_API_KEY is the key of the project whose batches are meant.`

const PARAMETER = '/darkroom/dev/gemini-webhook-secret'

/** `darkroom webhook`. */
export const WEBHOOK: Command = { about: "register Google's webhook", help: HELP, run }

async function run(args: string[]): Promise<number> {
  const [action, url = '', ...rest] = readPositionals(args)
  if (action !== 'register') throw new UsageError(`expected register, got ${JSON.stringify(action ?? '')}`)
  if (!URL.canParse(url) || rest.length > 0) throw new UsageError(`expected one address, got ${JSON.stringify(url)}`)
  const { GEMINI_API_KEY: key, GOOGLE_GEMINI_BASE_URL: baseUrl, GEMINI_WEBHOOK_SECRET_PARAMETER } = process.env
  if (!key) throw new UsageError('GEMINI_API_KEY is not set')
  const Name = GEMINI_WEBHOOK_SECRET_PARAMETER || PARAMETER
  const google = createGeminiBatches({ apiKey: { read: async () => key, forget() {} }, baseUrl })
  const { name, secret } = await google.registerWebhook('darkroom', url)
  try {
    await new SSMClient().send(new PutParameterCommand({ Name, Value: secret, Type: 'SecureString', Overwrite: true }))
  } catch (cause) {
    // The secret is gone with this process: a webhook that nobody can check is of no use.
    throw new Error(`webhook ${name} is registered, but ${Name} could not be written: delete it and register again`, {
      cause,
    })
  }
  console.log(`webhook ${name} calls ${url}; its secret is in ${Name}`)
  return 0
}

function readPositionals(args: string[]): string[] {
  try {
    return parseArgs({ args, allowPositionals: true, options: {} }).positionals
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
