import { beforeAll, describe, expect, it } from 'vitest'
import { bodyOf, imageOf, inline, jsonOf, photoOf, refusal, useGemini } from './gemini-client.ts'

const STYLE = 'Redraw the provided photograph in the style of Van Gogh.'
const own = useGemini()
let photo: Buffer
beforeAll(async () => {
  photo = await photoOf('dust-bowl-home')
})

describe('a file', () => {
  const upload = (bytes: Buffer) =>
    own.ai.files.upload({
      file: new Blob([new Uint8Array(bytes)], { type: 'image/jpeg' }),
      config: { mimeType: 'image/jpeg', displayName: 'house' },
    })

  it('is uploaded, described, used in a call, and deleted', async () => {
    const file = await upload(photo)
    expect(file).toMatchObject({ state: 'ACTIVE', displayName: 'house', sizeBytes: String(photo.length) })
    expect(await own.ai.files.get({ name: file.name ?? '' })).toEqual(file)
    const part = { fileData: { fileUri: file.uri ?? '', mimeType: 'image/jpeg' } }
    const [sent, kept] = await Promise.all([
      own.ask([inline(photo), { text: STYLE }]),
      own.ask([part, { text: STYLE }]),
    ])
    expect(imageOf(kept).equals(imageOf(sent))).toBe(true)
    await own.ai.files.delete({ name: file.name ?? '' })
    expect((await refusal(own.ai.files.get({ name: file.name ?? '' }))).status).toBe(403)
  })

  it('larger than a chunk arrives whole, and can be downloaded', async () => {
    const bytes = Buffer.alloc(9 * 2 ** 20, 'darkroom')
    const { name } = await upload(bytes)
    for (const path of ['v1beta', 'download/v1beta']) {
      const response = await fetch(`${own.gemini.baseUrl}/${path}/${name}:download?alt=media&key=stand-in`)
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
    }
  })

  it('is gone after 48 hours', async () => {
    const file = await upload(photo)
    own.nowMs += 48 * 3_600_000 - 1
    await own.ai.files.get({ name: file.name ?? '' })
    own.nowMs += 1
    const error = await refusal(
      own.ask([{ fileData: { fileUri: file.uri ?? '', mimeType: 'image/jpeg' } }, { text: STYLE }]),
    )
    expect(bodyOf(error)).toMatchObject({
      code: 403,
      status: 'PERMISSION_DENIED',
      message: expect.stringMatching(/may not exist/),
    })
  })

  it('half uploaded can be asked how much has come, and gone on with', async () => {
    const headers = (command: string, offset = 0) => ({
      'x-goog-api-key': 'stand-in',
      'x-goog-upload-command': command,
      'x-goog-upload-offset': String(offset),
    })
    const bytes = new Uint8Array(600 * 1024).fill(7)
    const size = {
      'x-goog-upload-header-content-length': String(bytes.length),
      'x-goog-upload-header-content-type': 'image/png',
    }
    const begun = await fetch(`${own.gemini.baseUrl}/upload/v1beta/files`, {
      method: 'POST',
      headers: { ...headers('start'), ...size },
    })
    const url = begun.headers.get('x-goog-upload-url') ?? ''
    const send = (command: string, offset = 0, body?: Uint8Array<ArrayBuffer>) =>
      fetch(url, { method: 'POST', headers: headers(command, offset), ...(body && { body }) })
    const half = 256 * 1024
    await send('upload', 0, bytes.subarray(0, half))
    expect((await send('query')).headers.get('x-goog-upload-size-received')).toBe(String(half))
    expect((await send('upload', 5, bytes.subarray(0, half))).status).toBe(400)
    const done = await send('upload, finalize', half, bytes.subarray(half))
    expect(done.headers.get('x-goog-upload-status')).toBe('final')
    expect((await jsonOf(done)).file.sizeBytes).toBe(String(bytes.length))
  })
})
