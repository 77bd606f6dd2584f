import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { splitUri, toFolder, toMetadata } from '../../lib/aws/keys.ts'

test.each([
  ['s3://photos/a.jpg', 'photos', 'a.jpg'],
  ['s3://photos/a/b?c#d e%20.jpg', 'photos', 'a/b?c#d e%20.jpg'],
  ['s3://photos//a', 'photos', '/a'],
])('%s is %s and %s', (uri, Bucket, Key) => {
  expect(splitUri(uri)).toEqual({ Bucket, Key })
})

/** Any Unicode, with lone surrogates, control characters, and what climbs. */
const part = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom('a', '€', '😀', '\ud800', '\udc00', '.', '\0', '\n', '\u0085', '\ufffd', ' '),
    maxLength: 40,
  }),
  fc.constantFrom('', '.', '..', '...', 'photos', '\0', 'a'.repeat(1024), '€'.repeat(341), '😀'.repeat(256)),
)
const key = fc.array(part, { minLength: 1, maxLength: 8 }).map(parts => parts.join('/'))
const id = fc.constantFrom('a', `up-${'0'.repeat(32)}`, 'x'.repeat(100))

describe('the folder of a job’s files', () => {
  test.each([
    ['style/cup', 'up-1', 'style/cup/up-1'],
    ['Küche/日本', 'up-1', 'Küche/日本/up-1'],
    ['a/../../b', 'up-1', 'a/_/_/b/up-1'],
    ['a//b/./', 'up-1', 'a/_/b/_/_/up-1'],
    ['', 'up-1', '_/up-1'],
    ['...', 'up-1', '.../up-1'],
    ['a\nb\u001bc', 'up-1', 'a_b_c/up-1'],
    ['a\ud800b', 'up-1', 'a\ufffdb/up-1'],
  ])('%j, %s: %s', (prefix, job, folder) => {
    expect(toFolder(prefix, job)).toBe(folder)
  })

  test('leaves room for a file name of 60 bytes under 900', () => {
    const room = 900 - '/'.length - 60
    expect(toFolder('a'.repeat(room - '/up-1'.length), 'up-1')).toBe(`${'a'.repeat(room - '/up-1'.length)}/up-1`)
    const cut = toFolder('a'.repeat(room - '/up-1'.length + 1), 'up-1')
    expect(cut).toMatch(/^a+-[0-9a-f]{16}\/up-1$/)
    expect(cut).toHaveLength(room)
  })

  test('tells long keys apart that begin alike', () => {
    const long = 'a/'.repeat(500)
    expect(toFolder(`${long}1`, 'x')).not.toBe(toFolder(`${long}2`, 'x'))
  })

  test('is safe for any key', () => {
    fc.assert(
      fc.property(key, id, (prefix, job) => {
        const folder = toFolder(prefix, job)
        expect(Buffer.byteLength(`${folder}/${'f'.repeat(60)}`)).toBeLessThanOrEqual(900)
        expect(folder.endsWith(`/${job}`)).toBe(true)
        expect(folder.isWellFormed()).toBe(true)
        expect(folder).not.toMatch(/\p{Cc}/u)
        expect(folder.split('/').filter(name => ['', '.', '..'].includes(name))).toEqual([])
        expect(toFolder(prefix, job)).toBe(folder)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('metadata', () => {
  test.each([
    ['s3://photos/Küche.jpg', 's3://photos/K%C3%BCche.jpg'],
    ['a b', 'a%20b'],
    ['100%', '100%25'],
    ['line\nbreak', 'line%0Abreak'],
    ['\ud800', '%EF%BF%BD'],
    ['', ''],
  ])('%j is written %s', (value, written) => {
    expect(toMetadata({ name: value })).toEqual({ name: written })
  })

  test('what is not known is left out', () => {
    expect(toMetadata({ 'darkroom-job': 'a', 'darkroom-source': undefined })).toEqual({ 'darkroom-job': 'a' })
  })

  test('of any source is ASCII, under 2 KB together, and can be read again as far as it goes', () => {
    fc.assert(
      fc.property(key, key, (source, model) => {
        const metadata = toMetadata({
          'darkroom-job': 'x'.repeat(100),
          'darkroom-operation': 'style-transfer',
          'darkroom-model': model,
          'darkroom-source': source,
        })
        const size = Object.entries(metadata).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
        expect(size).toBeLessThan(2048)
        for (const value of Object.values(metadata)) expect(value).toMatch(/^[\x21-\x7e]*$/)
        expect(source.toWellFormed().startsWith(decodeURIComponent(metadata['darkroom-source'] as string))).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})
