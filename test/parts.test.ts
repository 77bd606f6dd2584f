import { beforeAll, describe, expect, test } from 'vitest'
import { developParts, type Part, promoteLastThought, wordsOf } from '../lib/parts.ts'
import { drawPicture } from './helpers/pictures.ts'

let jpeg: Buffer
let png: Buffer
let webp: Buffer
beforeAll(async () => {
  jpeg = await drawPicture('jpeg')
  png = await drawPicture('png', { width: 8, height: 9 })
  webp = await drawPicture('webp')
})

const text = (words: string, thought = false): Part => ({ kind: 'text', text: words, thought })
const image = (bytes: Buffer, declaredType = 'image/png', thought = false): Part => ({
  kind: 'image',
  bytes,
  declaredType,
  thought,
})

describe('the answer of a reply', () => {
  test('is its pictures and words in order, each picture where it stood', () => {
    const developed = developParts([text('Before.'), image(jpeg), text('After.'), image(png), image(webp)], false)
    expect(developed.markdown).toBe(
      'Before.\n\n![image-1.jpg](image-1.jpg)\n\nAfter.\n\n![image-2.png](image-2.png)\n\n![image-3.webp](image-3.webp)',
    )
    expect(developed.pictures.map(({ name, mimeType, width, height }) => [name, mimeType, width, height])).toEqual([
      ['image-1.jpg', 'image/jpeg', 30, 20],
      ['image-2.png', 'image/png', 8, 9],
      ['image-3.webp', 'image/webp', 30, 20],
    ])
    expect(developed.pictures[1]?.bytes).toBe(png)
    expect(developed.unreadable).toEqual([])
  })

  test('gets its extension from the bytes, whatever the reply declares', () => {
    const [picture] = developParts([image(jpeg, 'image/png')], false).pictures
    expect(picture).toMatchObject({ name: 'image-1.jpg', mimeType: 'image/jpeg' })
  })

  test('leaves the drafts out, and the drafts the answer', () => {
    const parts = [text('Hm.', true), image(png, 'image/png', true), image(jpeg), text('Here.')]
    expect(developParts(parts, false).markdown).toBe('![image-1.jpg](image-1.jpg)\n\nHere.')
    expect(developParts(parts, true)).toMatchObject({
      markdown: 'Hm.\n\n![thought-1.png](thought-1.png)',
      pictures: [{ name: 'thought-1.png', width: 8, height: 9 }],
    })
  })

  test.each([
    ['', 'declared as image/jpeg cannot be read: it has no bytes'],
    ['Hello', 'cannot be read: its first bytes are "Hello"'],
  ])('names a picture that cannot be read (%j), and leaves no gap in the numbers', (bytes, said) => {
    const developed = developParts([image(jpeg), image(Buffer.from(bytes), 'image/jpeg'), image(png)], false)
    expect(developed.pictures.map(({ name }) => name)).toEqual(['image-1.jpg', 'image-2.png'])
    expect(developed.unreadable).toEqual([expect.stringContaining(said)])
  })

  test('of nothing is nothing', () => {
    expect(developParts([], false)).toEqual({ pictures: [], markdown: '', unreadable: [] })
  })
})

test('the model’s words are what it said, without thoughts and pictures', () => {
  expect(wordsOf([text('Hm.', true), text('  I '), image(jpeg), text('cannot.\n')])).toBe('I \n\ncannot.')
  expect(wordsOf([image(jpeg), text('Hm.', true)])).toBe('')
})

describe('where every image is a thought', () => {
  test('the last of them becomes the answer, alone and at its place', () => {
    const parts = [image(png, 'image/png', true), text('Sky.', true), image(jpeg, 'image/jpeg', true), text('Done.')]
    const promoted = promoteLastThought(parts)
    expect(promoted.map(part => part.thought)).toEqual([true, true, false, false])
    expect(developParts(promoted, false).markdown).toBe('![image-1.jpg](image-1.jpg)\n\nDone.')
    expect(parts.map(part => part.thought)).toEqual([true, true, true, false])
  })

  test('and without one nothing changes', () => {
    const parts = [text('Sky.', true), text('Done.')]
    expect(promoteLastThought(parts)).toEqual(parts)
  })
})
