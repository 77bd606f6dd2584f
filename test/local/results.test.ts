import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { expect, test } from 'vitest'
import { followResults } from '../../infra/local/results.ts'
import { startStack } from '../../infra/local/stack.ts'

test('a notice whose print could not be saved comes again; one that was saved does not', async () => {
  await using stack = await startStack({ functions: [], clockFactor: 60 })
  const stop = new AbortController()
  const send = (id: string) =>
    stack.sqs.send(new SendMessageCommand({ QueueUrl: stack.resultsFeedUrl, MessageBody: JSON.stringify({ id }) }))
  for (const id of ['full-disk', 'fine', 'fine']) await send(id)

  const told: string[] = []
  const unsaved = new Set(['full-disk'])
  for await (const { id } of followResults(stack, stop.signal, unsaved)) {
    if (told.includes(id)) {
      unsaved.delete(id)
      stop.abort()
    }
    told.push(id)
  }
  expect(told.toSorted()).toEqual(['fine', 'full-disk', 'full-disk'])
  for await (const notice of followResults(stack, stop.signal)) expect.fail(`${notice.id} was left`)
})
