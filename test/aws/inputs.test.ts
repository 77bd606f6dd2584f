import { CreateBucketCommand, GetObjectCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fauxqs, startFauxqs } from '../../infra/local/aws/fauxqs.ts'
import { type InputRules, type LargeInput, readInputs } from '../../lib/aws/inputs.ts'
import { createStorage, type Pin, type Storage } from '../../lib/aws/storage.ts'
import { awsError, localClient } from '../helpers/aws.ts'
import { caught } from '../helpers/caught.ts'
import { drawPicture } from '../helpers/pictures.ts'

let fauxqs: Fauxqs
let s3: S3Client
let storage: Storage
beforeAll(async () => {
  fauxqs = await startFauxqs(undefined)
  s3 = new S3Client({ ...localClient(fauxqs.endpoint), forcePathStyle: true })
  await s3.send(new CreateBucketCommand({ Bucket: 'photos' }))
  storage = createStorage(s3)
})
afterAll(async () => {
  s3.destroy()
  await fauxqs.app.close()
})

const put = (key: string, body: Buffer | string) => storage.write('photos', key, body, { contentType: 'image/png' })
const rules = (more: Partial<InputRules> = {}): InputRules => ({
  allowedBuckets: ['photos'],
  pins: new Map(),
  chooseInline: sizes => sizes.map(() => true),
  send: () => Promise.reject(new Error('nothing is sent')),
  ...more,
})
const read = (keys: string[], more?: Partial<InputRules>) =>
  readInputs(
    storage,
    keys.map(key => ({ uri: `s3://photos/${key}` })),
    rules(more),
  )

test('inputs come in their order, with their roles, and with what their bytes are', async () => {
  await put('a.png', await drawPicture('jpeg', { orientation: 6 }))
  await put('b.jpg', await drawPicture('png'))
  const inputs = await readInputs(
    storage,
    [{ uri: 's3://photos/b.jpg' }, { uri: 's3://photos/a.png', role: 'style' }],
    rules(),
  )
  expect(inputs.map(({ facts, role }) => [facts.uri, facts.mimeType, facts.width, facts.height, role])).toEqual([
    ['s3://photos/b.jpg', 'image/png', 30, 20, undefined],
    ['s3://photos/a.png', 'image/jpeg', 20, 30, 'style'],
  ])
  for (const { facts } of inputs) {
    expect(facts.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(facts.etag).toMatch(/^[0-9a-f]{32}$/)
  }
})

describe('an input that is no picture is refused by what it is', () => {
  test.each<[string, () => Promise<Buffer | string>, string, string]>([
    ['cup.txt', async () => 'Hello', 'ERR_INPUT_NOT_AN_IMAGE', 'its first bytes are "Hello"'],
    ['cup.svg', async () => '<svg/>', 'ERR_INPUT_NOT_AN_IMAGE', 'is not a PNG, JPEG, WebP, HEIC or HEIF'],
    ['none.jpg', async () => '', 'ERR_INPUT_EMPTY', 'has no bytes'],
    ['cut.jpg', async () => (await drawPicture('jpeg')).subarray(0, -9), 'ERR_INPUT_DAMAGED', 'whose end is missing'],
  ])('%s', async (key, body, code, message) => {
    await put(key, await body())
    const error = await caught(() => read([key]))
    expect(error).toMatchObject({ code })
    expect((error as Error).message).toContain(`s3://photos/${key}`)
    expect((error as Error).message).toContain(message)
  })

  test('missing', async () => {
    expect(await caught(() => read(['nowhere.jpg']))).toMatchObject({
      code: 'ERR_INPUT_NOT_FOUND',
      message: 's3://photos/nowhere.jpg does not exist',
    })
  })

  test('a bomb of 400 megapixels in few bytes', async () => {
    const bytes = await drawPicture('png')
    bytes.writeUInt32BE(20_000, 16)
    bytes.writeUInt32BE(20_000, 20)
    await put('bomb.png', bytes)
    expect(await caught(() => read(['bomb.png']))).toMatchObject({
      code: 'ERR_INPUT_TOO_LARGE',
      message: 's3://photos/bomb.png has 20000×20000 pixels: inputs are taken up to 200 megapixels',
    })
  })
})

describe('an input that was overwritten while its job was under way is not taken for the first', () => {
  const pins = (etag: string): Map<string, Pin> => new Map([['s3://photos/p.png', { etag }]])

  test('the same bytes pass', async () => {
    await put('p.png', await drawPicture('png'))
    const [input] = await read(['p.png'])
    expect(await read(['p.png'], { pins: pins(input?.facts.etag ?? '') })).toHaveLength(1)
  })

  test('others do not', async () => {
    await put('p.png', await drawPicture('png'))
    const [input] = await read(['p.png'])
    await put('p.png', await drawPicture('webp'))
    expect(await caught(() => read(['p.png'], { pins: pins(input?.facts.etag ?? '') }))).toMatchObject({
      code: 'ERR_INPUT_CHANGED',
    })
  })

  test('nor between the question for its size and that for its bytes', async () => {
    const racing = new S3Client({ ...localClient(fauxqs.endpoint), forcePathStyle: true })
    await put('race.png', await drawPicture('png'))
    racing.middlewareStack.add(
      (next, context) => async args => {
        const output = await next(args)
        if (context.commandName === 'HeadObjectCommand') await put('race.png', await drawPicture('webp'))
        return output
      },
      { step: 'initialize' },
    )
    const reading = readInputs(createStorage(racing), [{ uri: 's3://photos/race.png' }], rules())
    expect(await caught(() => reading)).toMatchObject({ code: 'ERR_INPUT_CHANGED' })
    racing.destroy()
  })
})

describe('before a byte is fetched', () => {
  const s3 = new S3Client({ region: 'us-east-1' })
  const mock = mockClient(s3)
  const readMocked = (uris: string[], more?: Partial<InputRules>) => {
    mock.resetHistory()
    return readInputs(
      createStorage(s3),
      uris.map(uri => ({ uri })),
      rules(more),
    )
  }

  test('a bucket that inputs may not come from is refused, and nobody asks it', async () => {
    expect(await caught(() => readMocked(['s3://photos/a.jpg', 's3://secrets/a.jpg']))).toMatchObject({
      code: 'ERR_INPUT_BUCKET',
      message: 's3://secrets/a.jpg: inputs may come from photos; add secrets to INPUT_BUCKETS',
    })
    expect(mock.calls()).toHaveLength(0)
  })

  test('an input over 50 MB is refused by its size', async () => {
    mock.on(HeadObjectCommand).resolves({ ContentLength: 50_000_001, ETag: '"a"' })
    expect(await caught(() => readMocked(['s3://photos/a.jpg']))).toMatchObject({
      code: 'ERR_INPUT_TOO_LARGE',
      message: 's3://photos/a.jpg has 51 MB: inputs are taken up to 50 MB',
    })
    expect(mock.commandCalls(GetObjectCommand)).toHaveLength(0)
  })

  test('an input that S3 does not let us read is named', async () => {
    mock.on(HeadObjectCommand).rejects(awsError('403', 403))
    expect(await caught(() => readMocked(['s3://photos/a.jpg']))).toMatchObject({
      code: 'ERR_INPUT_FORBIDDEN',
      message: expect.stringContaining('s3://photos/a.jpg'),
    })
  })

  test('the version that an upload’s notice named is the one that is read', async () => {
    const bytes = await drawPicture('png')
    mock.on(HeadObjectCommand).resolves({ ContentLength: bytes.length, ETag: '"abc"', VersionId: 'v1' })
    mock.on(GetObjectCommand).callsFake(() => ({ Body: { transformToByteArray: async () => bytes } }))
    const pins = new Map([['s3://photos/a.jpg', { etag: 'abc', versionId: 'v1' }]])
    const [input] = await readMocked(['s3://photos/a.jpg'], { pins })
    expect(input?.facts).toMatchObject({ etag: 'abc', versionId: 'v1' })
    expect(mock.commandCalls(HeadObjectCommand)[0]?.args[0].input.VersionId).toBe('v1')
    expect(mock.commandCalls(GetObjectCommand)[0]?.args[0].input.VersionId).toBe('v1')
  })
})

describe('an input that is sent ahead', () => {
  const MB = 1_000_000
  const sending = () => {
    const sent: { input: LargeInput; bytes: Buffer; largestChunk: number }[] = []
    const send: InputRules['send'] = async input => {
      const chunks: Uint8Array[] = []
      for await (const chunk of input.stream()) chunks.push(chunk)
      const largestChunk = Math.max(...chunks.map(chunk => chunk.length))
      sent.push({ input, bytes: Buffer.concat(chunks), largestChunk })
      return { fileUri: `file-${sent.length}`, sha256: 'of the stream' }
    }
    return { sent, send, chooseInline: (sizes: number[]) => sizes.map(size => size < MB) }
  }

  test('is streamed as it is pinned, and told by its two ends', async () => {
    const large = await drawPicture('jpeg', { width: 3000, height: 2400, noise: true, orientation: 6, quality: 100 })
    expect(large.length).toBeGreaterThan(6 * MB)
    await put('large.jpg', large)
    await put('small.png', await drawPicture('png'))
    const { sent, send, chooseInline } = sending()
    const inputs = await readInputs(
      storage,
      [{ uri: 's3://photos/large.jpg', role: 'base' }, { uri: 's3://photos/small.png' }],
      rules({ send, chooseInline }),
    )
    expect(inputs).toMatchObject([
      {
        fileUri: 'file-1',
        role: 'base',
        facts: {
          uri: 's3://photos/large.jpg',
          sha256: 'of the stream',
          mimeType: 'image/jpeg',
          width: 2400,
          height: 3000,
        },
      },
      { bytes: expect.any(Buffer), facts: { width: 30 } },
    ])
    expect(sent).toMatchObject([{ input: { mimeType: 'image/jpeg', sizeBytes: large.length } }])
    expect(sent[0]?.bytes.equals(large)).toBe(true)
    expect(sent[0]?.largestChunk).toBeLessThan(MB)
  })

  test('is not sent when it is cut off, however long its beginning', async () => {
    const large = await drawPicture('png', { width: 2000, height: 1500, noise: true, compressionLevel: 0 })
    await put('cut.png', large.subarray(0, -20))
    const { sent, ...more } = sending()
    expect(await caught(() => read(['cut.png'], more))).toMatchObject({ code: 'ERR_INPUT_DAMAGED' })
    expect(sent).toEqual([])
  })

  test('whose header lies further in than anybody would look is read whole, once', async () => {
    const jpeg = await drawPicture('jpeg', { width: 2400, height: 2000, noise: true, quality: 100 })
    const segment = Buffer.concat([Buffer.from([0xff, 0xef, 0xff, 0xff]), Buffer.alloc(65_533)])
    const stuffed = Buffer.concat([jpeg.subarray(0, 2), ...Array(80).fill(segment), jpeg.subarray(2)])
    await put('stuffed.jpg', stuffed)
    const { sent, ...more } = sending()
    expect(await read(['stuffed.jpg'], more)).toMatchObject([{ facts: { width: 2400, height: 2000 } }])
    expect(sent).toHaveLength(1)
  })
})
