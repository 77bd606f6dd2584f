import { networkError } from './aws.ts'
import type { Backend } from './backend.ts'

/** A client that loses the first answer after DynamoDB has done what was asked, and asks again as the SDK does. */
export function losingClient(backend: Pick<Backend, 'createDynamodb'>) {
  const client = backend.createDynamodb()
  const answers = { lost: 0 }
  client.middlewareStack.add(
    next => async args => {
      const output = await next(args)
      if (answers.lost > 0) return output
      answers.lost += 1
      throw networkError('ECONNRESET')
    },
    { step: 'deserialize', priority: 'high' },
  )
  return { client, answers }
}
