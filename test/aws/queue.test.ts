import {
  ChangeMessageVisibilityCommand,
  GetQueueAttributesCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { Travels } from '../../lib/aws/messages.ts'
import { createQueue, type Delivery, type Open } from '../../lib/aws/queue.ts'
import { EditError, Held } from '../../lib/errors.ts'
import { awsError, networkError } from '../helpers/aws.ts'

const NOW = Date.parse('2026-11-21T20:00:00Z')
const SENT = NOW - 5000
const URL = 'https://sqs.eu-central-1.amazonaws.com/123456789012/jobs'
const DEAD = 'https://sqs.eu-central-1.amazonaws.com/123456789012/jobs-dead'

const sqs = new SQSClient({ region: 'us-east-1' })
const mock = mockClient(sqs)
let lines: { level: string; message: string; fields: Record<string, unknown> }[]

beforeEach(() => {
  lines = []
  mock.reset()
  mock.on(SendMessageCommand).resolves({})
  mock.on(ChangeMessageVisibilityCommand).resolves({})
  mock.on(GetQueueAttributesCommand).resolves({
    Attributes: {
      RedrivePolicy: '{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:123456789012:jobs-dead","maxReceiveCount":20}',
    },
  })
})

const logAs = (level: string) => (message: string, fields: Record<string, unknown>) =>
  void lines.push({ level, message, fields })
const queue = createQueue(sqs, URL, {
  log: { info: logAs('info'), warn: logAs('warn'), error: logAs('error') },
  now: () => NOW,
})

function record(body = '{"a":1}', attributes: Record<string, string> = {}, messageId = 'm-1'): SQSRecord {
  const messageAttributes = Object.fromEntries(
    Object.entries(attributes).map(([name, stringValue]) => [name, { dataType: 'String' as const, stringValue }]),
  )
  return {
    messageId,
    receiptHandle: `handle of ${messageId}`,
    body,
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: String(SENT),
      SenderId: 'A1',
      ApproximateFirstReceiveTimestamp: String(NOW),
    },
    messageAttributes,
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:eu-central-1:123456789012:jobs',
    awsRegion: 'eu-central-1',
  }
}

const consume = (records: SQSRecord[], open: Open) => queue.consume({ Records: records } as SQSEvent, open)
const reject = (error: unknown) => () => Promise.reject(error)

/** One message with one job that ends as `run` says; resolves to the ids of the messages that stay. */
async function deliver(run: () => Promise<unknown>, attributes?: Record<string, string>): Promise<string[]> {
  const { batchItemFailures } = await consume([record('{"a":1}', attributes)], body => [{ id: 'order-17', body, run }])
  return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
}

/** What was sent, as plain values. */
function sent() {
  return mock.commandCalls(SendMessageCommand).map(({ args }) => {
    const { QueueUrl, MessageBody, DelaySeconds, MessageAttributes } = args[0].input
    const attributes = Object.fromEntries(
      Object.entries(MessageAttributes ?? {}).map(([name, { StringValue }]) => [name, StringValue]),
    )
    return { to: QueueUrl, body: MessageBody, delay: DelaySeconds, attributes }
  })
}

const wait = (retryAfterMs?: number) => new EditError('ERR_GEMINI_RATE', 'slow down', { retryAfterMs })

test('a job that is over: the message goes, and nothing is sent', async () => {
  expect(await deliver(async () => ({ status: 'done' }))).toEqual([])
  expect(mock.calls()).toHaveLength(0)
})

describe('a job that waits', () => {
  test('is sent again with its id, its first time and its delay, and then the message goes', async () => {
    expect(await deliver(reject(wait(47_001)))).toEqual([])
    expect(sent()).toEqual([
      {
        to: URL,
        body: '{"a":1}',
        delay: 48,
        attributes: {
          'darkroom-message': 'm-1',
          'darkroom-id': 'order-17',
          'darkroom-first-seen': String(SENT),
          'darkroom-sends': '1',
          'darkroom-errors': '0',
        },
      },
    ])
    expect(lines).toEqual([
      {
        level: 'warn',
        message: 'job waits',
        fields: { job: 'order-17', code: 'ERR_GEMINI_RATE', remedy: 'wait', reason: 'slow down', delayMs: 47_001 },
      },
    ])
  })

  test('keeps what travels with it, however often it is sent', async () => {
    const travels = {
      'darkroom-message': 'm-0',
      'darkroom-id': 'order-17',
      'darkroom-first-seen': '1700000000000',
      'darkroom-sends': '41',
      'darkroom-errors': '3',
    }
    await deliver(reject(wait(1000)), travels)
    expect(sent()[0]?.attributes).toEqual({ ...travels, 'darkroom-sends': '42' })
  })

  test.each([
    [0, 0],
    [1, 1],
    [900_000, 900],
    [900_001, 900],
    [86_400_000, 900],
    [-5000, 0],
  ])('waits %d ms as %d s: SQS delays no longer than 900', async (retryAfterMs, delay) => {
    await deliver(reject(wait(retryAfterMs)))
    expect(sent()[0]?.delay).toBe(delay)
  })

  test.each([
    [undefined, 5, 10],
    ['1', 10, 20],
    ['2', 20, 40],
    ['50', 450, 900],
  ])('waits longer each time where nobody says how long: sent %s times before', async (sends, least, most) => {
    await deliver(reject(wait()), sends === undefined ? {} : { 'darkroom-sends': sends })
    expect(sent()[0]?.delay).toBeGreaterThanOrEqual(least)
    expect(sent()[0]?.delay).toBeLessThanOrEqual(most)
  })

  test('for a repair is sent again too, and a person is told', async () => {
    expect(await deliver(reject(new EditError('ERR_GEMINI_KEY', 'wrong key', { retryAfterMs: 60_000 })))).toEqual([])
    expect(sent()).toMatchObject([{ to: URL, delay: 60, attributes: { 'darkroom-errors': '0' } }])
    expect(lines).toMatchObject([{ level: 'warn', message: 'job waits', fields: { code: 'ERR_GEMINI_KEY' } }])
  })

  test('because its time has not come is sent again for then, without a word', async () => {
    expect(await deliver(reject(new Held('order-17', NOW + 30_000, 'waiting')))).toEqual([])
    expect(sent()).toMatchObject([{ to: URL, delay: 30, attributes: { 'darkroom-id': 'order-17' } }])
    expect(lines).toEqual([])
  })
})

describe('a job with a living owner', () => {
  test.each([
    [NOW + 310_000, 310],
    [NOW + 1, 1],
    [NOW - 60_000, 1],
    [NOW + 86_400_000, 43_200],
  ])('stays, invisible until the owner’s lease ends', async (until, seconds) => {
    expect(await deliver(reject(new Held('order-17', until, 'lease')))).toEqual(['m-1'])
    expect(sent()).toEqual([])
    expect(mock.commandCalls(ChangeMessageVisibilityCommand).map(({ args }) => args[0].input)).toEqual([
      { QueueUrl: URL, ReceiptHandle: 'handle of m-1', VisibilityTimeout: seconds },
    ])
  })

  test('stays also when it cannot be hidden', async () => {
    mock.on(ChangeMessageVisibilityCommand).rejects(networkError('ECONNRESET'))
    expect(await deliver(reject(new Held('order-17', NOW + 1000, 'lease')))).toEqual(['m-1'])
  })
})

describe('a job that met a bug', () => {
  const bug = new TypeError("Cannot read properties of undefined (reading 'parts')")

  test.each([
    ['0', 5, 10, '1'],
    ['1', 10, 20, '2'],
    ['3', 40, 80, '4'],
  ])('is sent again with growing delays: after %s others', async (before, least, most, after) => {
    expect(await deliver(reject(bug), { 'darkroom-errors': before })).toEqual([])
    expect(sent()).toMatchObject([{ to: URL, attributes: { 'darkroom-errors': after, 'darkroom-sends': '1' } }])
    expect(sent()[0]?.delay).toBeGreaterThanOrEqual(least)
    expect(sent()[0]?.delay).toBeLessThanOrEqual(most)
    expect(lines).toEqual([
      { level: 'error', message: 'job met a bug', fields: { job: 'order-17', errors: Number(after), error: bug } },
    ])
  })

  test('goes to the dead letters after the fifth, with the reason', async () => {
    expect(await deliver(reject(bug), { 'darkroom-errors': '4' })).toEqual([])
    expect(sent()).toEqual([
      {
        to: DEAD,
        body: '{"a":1}',
        delay: 0,
        attributes: {
          'darkroom-message': 'm-1',
          'darkroom-id': 'order-17',
          'darkroom-first-seen': String(SENT),
          'darkroom-sends': '0',
          'darkroom-errors': '5',
          'darkroom-reason': "bug: TypeError: Cannot read properties of undefined (reading 'parts')",
        },
      },
    ])
  })

  test('waiting in between is forgiven nothing: bugs are counted over all sendings', async () => {
    await deliver(reject(wait(1000)), { 'darkroom-errors': '4' })
    expect(sent()).toMatchObject([{ to: URL, attributes: { 'darkroom-errors': '4' } }])
  })

  test('a refusal that nobody turned into a result is a bug too, and not sent for ever', async () => {
    await deliver(reject(new EditError('ERR_JOB_INVALID', 'a typo')), { 'darkroom-errors': '4' })
    expect(sent()).toMatchObject([{ to: DEAD }])
  })
})

describe('a message that is no job at all', () => {
  const open: Open = () => {
    throw new EditError('ERR_JOB_UNREADABLE', 'the message is no JSON')
  }

  test('goes to the dead letters, with the reason, and the log says so without its words', async () => {
    expect(await consume([record('my secret wish')], open)).toEqual({ batchItemFailures: [] })
    expect(sent()).toMatchObject([
      {
        to: DEAD,
        body: 'my secret wish',
        attributes: { 'darkroom-reason': 'ERR_JOB_UNREADABLE: the message is no JSON' },
      },
    ])
    expect(lines).toMatchObject([{ level: 'error', message: 'message is no job', fields: { messageId: 'm-1' } }])
    expect(JSON.stringify(lines)).not.toContain('secret')
  })

  test.each<[string, string, string]>([
    ['control characters', 'a\u0000b\u001bc\nd', 'ERR_JOB_INVALID: a b c d'],
    ['lone surrogates', 'a\ud800b', 'ERR_JOB_INVALID: a\ufffdb'],
    ['what SQS forbids', 'a\ufffeb\uffffc', 'ERR_JOB_INVALID: a b c'],
    ['ten thousand characters', 'x'.repeat(10_000), `ERR_JOB_INVALID: ${'x'.repeat(983)}`],
  ])('with a reason that SQS takes: %s', async (_, reason, written) => {
    await consume([record()], () => {
      throw new EditError('ERR_JOB_INVALID', reason)
    })
    expect(sent()[0]?.attributes['darkroom-reason']).toBe(written)
  })

  test.each<[string, () => unknown]>([
    ['there is no dead-letter queue', () => mock.on(GetQueueAttributesCommand).resolves({ Attributes: {} })],
    ['nobody may ask for it', () => mock.on(GetQueueAttributesCommand).rejects(awsError('AccessDenied', 403))],
    ['it takes nothing', () => mock.on(SendMessageCommand).rejects(awsError('ServiceUnavailable', 503))],
  ])('stays where it is while %s: it is never lost', async (_, arrange) => {
    arrange()
    expect(await consume([record()], open)).toEqual({ batchItemFailures: [{ itemIdentifier: 'm-1' }] })
    expect(lines.at(-1)).toMatchObject({ level: 'error', message: 'message could not be settled' })
  })

  test('one that our own bug could not open stays: the message is not to blame', async () => {
    const failing: Open = () => {
      throw new TypeError('undefined is not a function')
    }
    expect(await consume([record()], failing)).toEqual({ batchItemFailures: [{ itemIdentifier: 'm-1' }] })
    expect(sent()).toEqual([])
  })
})

describe('sent first, acknowledged after', () => {
  test.each<[string, unknown]>([
    ['a wait', wait(1000)],
    ['a repair', new EditError('ERR_GEMINI_KEY', 'wrong key')],
    ['a bug', new TypeError('a bug')],
    ['a job whose time has not come', new Held('order-17', NOW + 1000, 'waiting')],
  ])('a message that could not be sent again stays: %s', async (_, error) => {
    mock.on(SendMessageCommand).rejects(networkError('ECONNRESET'))
    expect(await deliver(reject(error))).toEqual(['m-1'])
    expect(lines.at(-1)).toMatchObject({
      message: 'message could not be settled',
      fields: { messageId: 'm-1', error: { code: 'ERR_AWS_UNAVAILABLE' } },
    })
  })

  test('the answer to Lambda comes after SQS has taken the new message', async () => {
    const order: string[] = []
    mock.on(SendMessageCommand).callsFake(async () => {
      await new Promise(resolve => setImmediate(resolve))
      order.push('sent')
      return {}
    })
    await deliver(reject(wait(1000)))
    order.push('answered')
    expect(order).toEqual(['sent', 'answered'])
  })
})

describe('several messages', () => {
  test('are worked on side by side, and only those stay that must', async () => {
    const running: string[] = []
    let letGo = () => {}
    const all = new Promise<void>(resolve => {
      letGo = resolve
    })
    const endings: Record<string, () => unknown> = {
      done: () => 'done',
      held: () => Promise.reject(new Held('b', NOW + 1000, 'lease')),
      waits: () => Promise.reject(wait(1000)),
      bug: () => Promise.reject(new TypeError('a bug')),
      late: () => 'done',
    }
    const records = Object.keys(endings).map(name => record(name, {}, `m-${name}`))
    const { batchItemFailures } = await consume(records, body => [
      {
        id: body,
        body,
        run: async () => {
          running.push(body)
          if (running.length === records.length) letGo()
          await all
          return endings[body]?.()
        },
      },
    ])
    expect(batchItemFailures).toEqual([{ itemIdentifier: 'm-held' }])
    expect(
      sent()
        .map(({ body }) => body)
        .toSorted(),
    ).toEqual(['bug', 'waits'])
  })

  test('of which one has a broken body do not suffer from it', async () => {
    const open: Open = body => {
      if (body === 'broken') throw new EditError('ERR_JOB_UNREADABLE', 'no JSON')
      return [{ id: body, body, run: async () => 'done' }]
    }
    expect(await consume([record('broken', {}, 'm-1'), record('whole', {}, 'm-2')], open)).toEqual({
      batchItemFailures: [],
    })
    expect(sent()).toMatchObject([{ to: DEAD, body: 'broken' }])
  })
})

describe('a message with several jobs', () => {
  const delivery = (id: string, run: Delivery['run']): Delivery => ({ id, body: `body of ${id}`, run })
  const open = (...deliveries: Delivery[]) => consume([record('all')], () => deliveries)

  test('goes when all of them are settled; each that is not over is sent again alone', async () => {
    const { batchItemFailures } = await open(
      delivery('a', async () => 'done'),
      delivery('b', reject(wait(7000))),
      delivery('c', reject(new TypeError('a bug'))),
      // The message can't be hidden for one of them.
      delivery('d', reject(new Held('d', NOW + 310_000, 'lease'))),
    )
    expect(batchItemFailures).toEqual([])
    const again = sent().toSorted((one, other) => String(one.body).localeCompare(String(other.body)))
    expect(again.map(({ to, body, attributes }) => [to, body, attributes['darkroom-id']])).toEqual([
      [URL, 'body of b', 'b'],
      [URL, 'body of c', 'c'],
      [URL, 'body of d', 'd'],
    ])
    expect([again[0]?.delay, again[2]?.delay]).toEqual([7, 310])
    expect(mock.commandCalls(ChangeMessageVisibilityCommand)).toHaveLength(0)
  })

  test('stays when one of them could not be sent again', async () => {
    mock.on(SendMessageCommand).resolvesOnce({}).rejects(networkError('ECONNRESET'))
    const { batchItemFailures } = await open(delivery('a', reject(wait(1000))), delivery('b', reject(wait(1000))))
    expect(batchItemFailures).toEqual([{ itemIdentifier: 'm-1' }])
  })

  test('is not over before all of them are, also when one could not be sent again', async () => {
    mock.on(SendMessageCommand).rejects(networkError('ECONNRESET'))
    const inCall = Promise.withResolvers<string>()
    let isOver = false
    const consumed = open(
      delivery('a', reject(wait(1000))),
      delivery('b', () => inCall.promise),
    ).finally(() => {
      isOver = true
    })
    await vi.waitUntil(() => lines.some(({ message }) => message === 'message could not be settled'))
    expect(isOver).toBe(false)
    inCall.resolve('done')
    expect((await consumed).batchItemFailures).toEqual([{ itemIdentifier: 'm-1' }])
  })

  test('with none, as S3’s test of the queue is, goes', async () => {
    expect(await open()).toEqual({ batchItemFailures: [] })
    expect(mock.calls()).toHaveLength(0)
  })
})

describe('what a message brings along', () => {
  const seen = async (attributes: Record<string, string>) => {
    let travels: Travels | undefined
    await consume([record('{}', attributes)], (_, given) => {
      travels = given
      return []
    })
    return travels
  }

  test('at its first sending: its SQS id and the time at which it was sent', async () => {
    expect(await seen({})).toEqual({ messageId: 'm-1', id: undefined, firstSeenAt: SENT, sends: 0, errors: 0 })
  })

  test('later: its own id and the first time', async () => {
    const attributes = {
      'darkroom-message': 'first',
      'darkroom-id': 'msg-first',
      'darkroom-first-seen': '1700000000000',
      'darkroom-sends': '12',
      'darkroom-errors': '2',
    }
    expect(await seen(attributes)).toEqual({
      messageId: 'first',
      id: 'msg-first',
      firstSeenAt: 1_700_000_000_000,
      sends: 12,
      errors: 2,
    })
  })

  test.each(['../../weather', '..', 'a b', '', 'x'.repeat(101)])('an id that no job has is not taken: %j', async id => {
    expect((await seen({ 'darkroom-id': id }))?.id).toBeUndefined()
  })

  test.each(['many', '-5', '', 'NaN'])('a count of %j is none', async value => {
    const attributes = { 'darkroom-first-seen': value, 'darkroom-sends': value, 'darkroom-errors': value }
    expect(await seen(attributes)).toMatchObject({ firstSeenAt: SENT, sends: 0, errors: 0 })
  })
})

test('a body is put on the queue as it is, at once', async () => {
  await queue.send('{"operation":"edit"}')
  expect(sent()).toEqual([{ to: URL, body: '{"operation":"edit"}', delay: 0, attributes: {} }])
})
