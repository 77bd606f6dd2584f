import type { Fauxqs } from './fauxqs.ts'

/**
 * Gives messages back that were received for a caller who had hung up. fauxqs goes on waiting for such a caller and
 * takes the next message in its name, which nobody would see again until its visibility ends.
 */
export function handBackUnheardMessages(app: Fauxqs['app'], sqsStore: Fauxqs['sqsStore']): void {
  app.addHook('onSend', (request, _reply, payload, done) => {
    const isReceive = request.headers['x-amz-target'] === 'AmazonSQS.ReceiveMessage'
    if (!isReceive || !request.raw.socket.destroyed) return done()
    const { QueueUrl } = request.body as { QueueUrl: string }
    const { Messages = [] } = JSON.parse(String(payload)) as { Messages?: { ReceiptHandle: string }[] }
    const queue = sqsStore.getQueue(QueueUrl)
    for (const { ReceiptHandle } of Messages) {
      const message = queue?.inflightMessages.get(ReceiptHandle)?.message
      if (message) message.approximateReceiveCount -= 1
      queue?.changeVisibility(ReceiptHandle, 0)
    }
    done()
  })
}

/** SQS takes every character of XML 1.0. fauxqs forgets those beyond the first 65,536, and with them every emoji. */
export function allowAllCharacters(refused: RegExp): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what SQS names.
  const really = /[^\x09\x0A\x0D\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u
  refused.test = text => really.test(text)
}
