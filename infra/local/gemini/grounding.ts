import type { Answer, Ask } from './answer.ts'
import { escapeXml } from './pictures/lettering.ts'

/** What a search that was asked for adds to the first candidate that has content. */
export function addGrounding(ask: Pick<Ask, 'request' | 'prompt'>, answer: Answer): Answer {
  const searches = ask.request.tools?.flatMap(tool => tool.googleSearch ?? []) ?? []
  const [first, ...others] = answer.candidates ?? []
  if (!searches.length || !first?.content) return answer
  const types = searches.map(({ searchTypes }) => searchTypes ?? { webSearch: {} })
  const web = types.some(type => type.webSearch)
  const images = types.some(type => type.imageSearch)
  const text = first.content.parts.find(part => part.text && !part.thought)?.text ?? ''
  const groundingMetadata = ground(queryOf(ask.prompt), text, web, images)
  return { ...answer, candidates: [{ ...first, groundingMetadata }, ...others] }
}

function ground(query: string, text: string, web: boolean, images: boolean) {
  const chunks = [...(web ? webChunks(query) : []), ...(images ? imageChunks(query) : [])]
  const segment = { startIndex: 0, endIndex: Buffer.byteLength(text), text }
  return {
    searchEntryPoint: { renderedContent: searchEntry(query) },
    ...(web && { webSearchQueries: [query] }),
    ...(images && { imageSearchQueries: [`${query} photo`] }),
    groundingChunks: chunks,
    groundingSupports: text ? [{ segment, groundingChunkIndices: chunks.map((_, at) => at) }] : [],
  }
}

function webChunks(query: string) {
  return ['almanac', 'gazette'].map(site => ({
    web: { uri: `https://${site}.example/search?q=${encodeURIComponent(query)}`, title: `${site}.example` },
  }))
}

function imageChunks(query: string) {
  const page = `https://pictures.example/${encodeURIComponent(query)}`
  return [
    {
      image: {
        sourceUri: page,
        imageUri: `${page}/1.jpg`,
        title: `${query} (pictures.example)`,
        domain: 'pictures.example',
      },
    },
  ]
}

/** Google's is a chip of HTML and style, to be shown as it is. */
function searchEntry(query: string): string {
  const href = `https://www.google.com/search?q=${encodeURIComponent(query)}`
  return `<style>.chip{border:1px solid #888;border-radius:16px;padding:4px 12px;font:14px sans-serif}</style><div class="container"><a class="chip" href="${href}">${escapeXml(query)}</a></div>`
}

function queryOf(prompt: string): string {
  return prompt.split(/\s+/).slice(0, 8).join(' ').slice(0, 80).toWellFormed() || 'picture'
}
