import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { createGeminiBatches } from '../../lib/gemini/batches.ts'
import { type Command, readArguments, readVariables, UsageError } from './command.ts'

const HELP = `darkroom webhook register URL [--stage NAME]

Registers the address of the function \`webhook\` with Google, so that a batch is collected as soon as it is over and not with the
next tick of the clock. Google shows the webhook's secret once: it goes straight into the SSM SecureString
/darkroom/<stage>/gemini-webhook-secret of AWS_REGION, or the one that GEMINI_WEBHOOK_SECRET_PARAMETER names, and is never printed.

--stage   the stage whose secret it is                                                     (dev)

GEMINI_API_KEY is the key of the project whose batches are meant.`

/** `darkroom webhook`. */
export const WEBHOOK: Command = { about: "register Google's webhook", help: HELP, run }

async function run(args: string[]): Promise<number> {
  const options = { stage: { type: 'string', default: 'dev' } } as const
  const { values, positionals } = readArguments({ args, allowPositionals: true, options })
  const [action = '', url = '', ...rest] = positionals
  if (action !== 'register') throw new UsageError(`expected register, got ${JSON.stringify(action)}`)
  if (!isAddress(url) || rest.length > 0)
    throw new UsageError(`expected one address, got ${JSON.stringify([url, ...rest].join(' '))}`)
  const { GEMINI_API_KEY: key } = readVariables(['GEMINI_API_KEY', 'AWS_REGION'])
  const { GOOGLE_GEMINI_BASE_URL: baseUrl, GEMINI_WEBHOOK_SECRET_PARAMETER } = process.env
  const Name = GEMINI_WEBHOOK_SECRET_PARAMETER || `/darkroom/${values.stage}/gemini-webhook-secret`
  const google = createGeminiBatches({ apiKey: { read: async () => key, forget() {} }, baseUrl })
  const { id, secret } = await google.registerWebhook('darkroom', url)
  try {
    await new SSMClient().send(new PutParameterCommand({ Name, Value: secret, Type: 'SecureString', Overwrite: true }))
  } catch (cause) {
    // The secret is gone with this process: a webhook that nobody can check is of no use.
    const isRemoved = await google.removeWebhook(id).then(
      () => true,
      () => false,
    )
    const what = isRemoved ? 'was not registered' : 'is registered and of no use, delete it'
    throw new Error(`webhook ${id} ${what}: its secret could not be written to ${Name}`, { cause })
  }
  console.log(`webhook ${id} calls ${url}; its secret is in ${Name}`)
  return 0
}

function isAddress(url: string): boolean {
  return /^https?:$/.test(URL.parse(url)?.protocol ?? '')
}
