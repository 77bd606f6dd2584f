import { describe, expect, test } from 'vitest'
import { toTools } from '../../lib/gemini/grounding.ts'
import { readReply } from '../../lib/gemini/response.ts'

const groundingOf = (...candidates: unknown[]) =>
  readReply({ candidates: candidates.map(groundingMetadata => ({ finishReason: 'STOP', groundingMetadata })) })
    .grounding

describe('the search that a wish comes to', () => {
  test.each([
    ['none', undefined, undefined],
    ['the web', { web: true, images: false }, [{ googleSearch: {} }]],
    ['pictures', { web: false, images: true }, [{ googleSearch: { searchTypes: { imageSearch: {} } } }]],
    ['both', { web: true, images: true }, [{ googleSearch: { searchTypes: { webSearch: {}, imageSearch: {} } } }]],
  ])('%s', (_, wish, tools) => {
    expect(toTools(wish && { ...wish, required: false })).toEqual(tools)
  })
})

describe('what a reply was looked up from', () => {
  test('pages and pictures, queries of both kinds, supports and Google’s suggestions', () => {
    const grounding = groundingOf({
      webSearchQueries: ['weather Oslo', 'Oslo forecast'],
      imageSearchQueries: ['Oslo photo'],
      searchEntryPoint: { renderedContent: '<div>chip</div>' },
      groundingChunks: [
        { web: { uri: 'https://met.example/oslo', title: 'met.example' } },
        {
          image: { sourceUri: 'https://pictures.example/1', imageUri: 'https://pictures.example/1.jpg', title: 'Oslo' },
        },
      ],
      groundingSupports: [{ segment: { startIndex: 0, endIndex: 4, text: 'Snow' }, groundingChunkIndices: [0, 1] }],
    })
    expect(grounding).toEqual({
      webQueries: ['weather Oslo', 'Oslo forecast'],
      imageQueries: ['Oslo photo'],
      searchEntryPoint: '<div>chip</div>',
      sources: [
        { kind: 'web', uri: 'https://met.example/oslo', title: 'met.example' },
        { kind: 'image', uri: 'https://pictures.example/1', imageUri: 'https://pictures.example/1.jpg', title: 'Oslo' },
      ],
      supports: [{ text: 'Snow', startIndex: 0, endIndex: 4, sources: [0, 1] }],
    })
  })

  test('in the guide’s spelling too: uri and image_uri', () => {
    const chunk = { image: { uri: 'https://pictures.example/1', image_uri: 'https://pictures.example/1.jpg' } }
    expect(groundingOf({ image_search_queries: ['Oslo'], grounding_chunks: [chunk] })).toMatchObject({
      imageQueries: ['Oslo'],
      sources: [{ kind: 'image', uri: 'https://pictures.example/1', imageUri: 'https://pictures.example/1.jpg' }],
    })
  })

  test('all candidates together, with supports that follow their sources', () => {
    const one = (site: string) => ({
      webSearchQueries: [site],
      searchEntryPoint: { renderedContent: `<b>${site}</b>` },
      groundingChunks: [{ web: { uri: `https://${site}.example/` } }],
      groundingSupports: [{ segment: { text: site }, groundingChunkIndices: [0] }],
    })
    expect(groundingOf(one('a'), undefined, one('b'))).toMatchObject({
      webQueries: ['a', 'b'],
      searchEntryPoint: '<b>a</b>\n<b>b</b>',
      sources: [{ uri: 'https://a.example/' }, { uri: 'https://b.example/' }],
      supports: [
        { text: 'a', sources: [0] },
        { text: 'b', sources: [1] },
      ],
    })
  })

  test('a chunk that names nothing is left out, and the supports still point to the right ones', () => {
    const grounding = groundingOf({
      groundingChunks: [{}, null, { web: { title: 'no address' } }, { web: { uri: 'https://b.example/' } }],
      groundingSupports: [
        { segment: { text: 'b' }, groundingChunkIndices: [3, 0, 99, -1, 'x'] },
        { segment: { text: 'nothing' }, groundingChunkIndices: [0] },
      ],
    })
    expect(grounding?.sources).toEqual([{ kind: 'web', uri: 'https://b.example/', title: undefined }])
    expect(grounding?.supports).toEqual([{ text: 'b', sources: [0] }])
  })

  test.each([[undefined], [null], ['words'], [7], [[]]])('metadata that is %j is none', metadata => {
    expect(groundingOf(metadata)).toBeUndefined()
  })

  test.each([
    [{ webSearchQueries: 'one', groundingChunks: {}, groundingSupports: null, searchEntryPoint: 'chip' }],
    [{ webSearchQueries: [null, '', 3], groundingChunks: [{ web: 'x' }, { image: [] }], groundingSupports: [1] }],
  ])('fields of other types than documented cost no reply that was paid for: %j', metadata => {
    expect(groundingOf(metadata)).toEqual({ webQueries: [], imageQueries: [], sources: [], supports: [] })
  })
})
