import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import type { Notice } from '../../lib/aws/topic.ts'
import type { Result } from '../../lib/result.ts'
import type { Stack } from './stack.ts'

/**
 * The results topic's messages as they come, each job once. A message is deleted when the next one is asked for: it is saved by
 * then, or its job is in `unsaved`, and it comes back. Ends when `signal` has aborted and nothing more is there.
 */
export async function* followResults(
  stack: Pick<Stack, 'sqs' | 'resultsFeedUrl'>,
  signal: AbortSignal,
  unsaved: ReadonlySet<string> = new Set(),
): AsyncGenerator<Notice> {
  const QueueUrl = stack.resultsFeedUrl
  const seen = new Set<string>()
  for (;;) {
    const isLast = signal.aborted
    const receive = new ReceiveMessageCommand({
      QueueUrl,
      WaitTimeSeconds: isLast ? 0 : 2,
      MaxNumberOfMessages: 10,
    })
    const { Messages = [] } = await stack.sqs
      .send(receive, { abortSignal: isLast ? undefined : signal })
      .catch((error: unknown) => {
        if (signal.aborted) return { Messages: [] }
        throw error
      })
    if (isLast && Messages.length === 0) return
    for (const { Body = '', ReceiptHandle } of Messages) {
      const notice = JSON.parse(Body) as Notice
      if (!seen.has(notice.id)) yield notice
      if (unsaved.has(notice.id)) continue
      seen.add(notice.id)
      await stack.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
    }
  }
}

/** The `result.json` that a notice names. */
export async function readResult(stack: Stack, { bucket, key }: Pick<Notice, 'bucket' | 'key'>): Promise<Result> {
  const object = await stack.s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
  return JSON.parse((await object.Body?.transformToString()) ?? '') as Result
}

/** Saves a result's files, without the raw replies, under their keys in `folder`. Returns the paths, `result.json` last. */
export async function saveResult(stack: Stack, { bucket, key }: Notice, folder: string): Promise<string[]> {
  const prefix = key.slice(0, key.lastIndexOf('/') + 1)
  const { Contents = [] } = await stack.s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }))
  const keys = Contents.map(object => object.Key ?? '').filter(name => !/\/response-\d+\.json$/.test(name))
  const paths = keys
    .toSorted((a, b) => Number(a === key) - Number(b === key))
    .map(name => ({ name, path: toPath(folder, name) }))
  for (const { name, path } of paths) {
    const object = await stack.s3.send(new GetObjectCommand({ Bucket: bucket, Key: name }))
    // Read before anything can fail: a body that is left unread ends the process when its connection goes.
    const bytes = (await object.Body?.transformToByteArray()) ?? ''
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, bytes)
  }
  return paths.map(({ path }) => path)
}

/** A key may be longer than a file's name may be, and hold what a file system refuses: each part is cut to fit. */
function toPath(folder: string, key: string): string {
  const parts = key.split('/').map(part =>
    Buffer.from(part.replaceAll('\\', '_'))
      .subarray(0, 200)
      .toString()
      .replace(/\ufffd$/, ''),
  )
  const path = join(folder, ...parts)
  if (!resolve(path).startsWith(resolve(folder) + sep)) throw new Error(`${key} would leave ${folder}`)
  return path
}
