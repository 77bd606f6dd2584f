import { describe, expect, test } from 'vitest'
import { buildAttribution } from '../lib/attribution.ts'
import type { Grounding } from '../lib/grounding.ts'

const pictures = [
  { name: 'image-1.jpg', width: 1024, height: 512 },
  { name: 'image-2.png', width: 10, height: 10 },
]
const grounding: Grounding = {
  webQueries: ['weather Oslo'],
  imageQueries: ['Oslo photo'],
  sources: [
    { kind: 'web', uri: 'https://met.example/oslo?a=1&b=2', title: 'met.example' },
    { kind: 'image', uri: 'http://pictures.example/1', title: 'Oslo', imageUri: 'https://pictures.example/1.jpg' },
  ],
  searchEntryPoint:
    '<style>.chip{color:red}</style><div><a class="chip" href="https://google.example/?q=a&b">Oslo</a></div>',
  supports: [{ text: 'Snow', sources: [0] }],
}
const pageOf = (change: Partial<Grounding>) => buildAttribution(pictures, { ...grounding, ...change }).html

/** What a browser makes of an attribute's text. */
const decode = (text: string) =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
const frameOf = (html: string) => decode(/srcdoc="([^"]*)"/.exec(html)?.[1] ?? '')
/** The tags of the page itself: the frame's content is an attribute, and no tag of it may stand outside. */
const tagsOf = (html: string) => html.match(/<[a-z!/][^>]*>/gi) ?? []

test('attribution.json has it all', () => {
  expect(JSON.parse(buildAttribution(pictures, grounding).json)).toEqual({
    images: ['image-1.jpg', 'image-2.png'],
    ...grounding,
  })
})

describe('attribution.html', () => {
  test('shows the pictures beside it', () => {
    expect(pageOf({})).toContain('<img src="image-1.jpg" width="1024" height="512" alt="image-1.jpg">')
    expect(pageOf({})).toContain('<img src="image-2.png"')
  })

  test('links each source, one click away, and tells it nothing', () => {
    const html = pageOf({})
    expect(html).toContain(
      '<a href="https://met.example/oslo?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">met.example</a>',
    )
    expect(html).toContain('<a href="http://pictures.example/1" target="_blank" rel="noopener noreferrer">Oslo</a>')
  })

  test('shows Google’s suggestions as they came, in a frame that runs nothing', () => {
    const html = pageOf({})
    expect(frameOf(html)).toBe(`<base target="_blank">${grounding.searchEntryPoint}`)
    expect(html).toMatch(/<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" /)
    expect(html).not.toContain('allow-scripts')
    expect(html).not.toContain('allow-same-origin')
  })

  test('names what was searched for, and has no frame where Google sent nothing', () => {
    const html = pageOf({ searchEntryPoint: undefined })
    expect(html).toContain('<li>weather Oslo</li>')
    expect(html).not.toContain('<iframe')
  })

  test('loads nothing from elsewhere, by its policy', () => {
    expect(pageOf({})).toContain(`content="default-src 'none'; img-src 'self' file: data:;`)
  })
})

describe('whatever the metadata holds, the page is safe to open', () => {
  const hostile = [
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    '</iframe><script>alert(1)</script>',
    '"></iframe><img src=x onerror=alert(1)>',
    '<!--',
    '&quot;><b>',
    '\ud800<svg/onload=alert(1)>',
  ]
  const clean = tagsOf(pageOf({})).map(tag => tag.replace(/ (?:srcdoc|href)="[^"]*"/, ''))

  test.each(hostile)('a title, a query or suggestions that are %j', text => {
    const html = pageOf({
      sources: grounding.sources.map(source => ({ ...source, title: text })),
      webQueries: [text],
      searchEntryPoint: text,
    })
    expect(tagsOf(html).map(tag => tag.replace(/ (?:srcdoc|href)="[^"]*"/, ''))).toEqual(clean)
    expect(frameOf(html)).toContain(text.toWellFormed())
  })

  test.each(hostile)('an address with %j', text => {
    const html = pageOf({ sources: grounding.sources.map(source => ({ ...source, uri: `https://a.example/${text}` })) })
    expect(tagsOf(html).map(tag => tag.replace(/ (?:srcdoc|href)="[^"]*"/, ''))).toEqual(clean)
  })

  test.each([
    'javascript:alert(1)',
    ' JavaScript:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'file:///etc/passwd',
    'vbscript:x',
    '//no-scheme.example/',
    'nonsense',
    '',
  ])('an address %j is words, not a link', uri => {
    const html = pageOf({ sources: [{ kind: 'web', uri, title: 'here' }] })
    expect(html).toContain('<li>here</li>')
    expect(html).not.toContain('<a ')
  })
})
