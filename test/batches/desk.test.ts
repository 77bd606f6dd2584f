import { GetObjectCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import { expect, it } from 'vitest'
import { createStorage } from '../../lib/aws/storage.ts'
import { membersOf } from '../../lib/batches/desk.ts'

it('a manifest is read a piece at a time, and no member is lost where two meet', async () => {
  const members = Array.from({ length: 3000 }, (_, n) => ({
    id: `job.${n}`,
    line: `batches/open/é/${n}`,
    sizeBytes: n,
  }))
  const manifest = Buffer.from([{ id: 'batch' }, ...members].map(entry => `${JSON.stringify(entry)}\n`).join(''))
  const s3 = new S3Client({ region: 'us-east-1' })
  const mock = mockClient(s3)
  mock.on(HeadObjectCommand).resolves({ ContentLength: manifest.length })
  let largestBytes = 0
  mock.on(GetObjectCommand).callsFake(({ Range }) => {
    const [first, last] = Range.slice('bytes='.length).split('-').map(Number)
    const piece = manifest.subarray(first, last + 1)
    largestBytes = Math.max(largestBytes, piece.length)
    return { Body: { transformToByteArray: async () => new Uint8Array(piece) } }
  })
  const found: unknown[] = []
  for await (const member of membersOf({ storage: createStorage(s3), resultsBucket: 'results' }, 'batch'))
    found.push(member)
  expect(found).toEqual(members)
  expect(largestBytes).toBeLessThan(manifest.length / 2)
})
