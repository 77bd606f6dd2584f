import type { Grounding, Source } from './grounding.ts'

type Attribution = { json: string; html: string }

/** A picture of the result, by its file's name in the same folder. */
type Shown = { name: string; width: number; height: number }

/**
 * What has to be shown beside grounded pictures, as data and as a page. The page is safe to open whatever the metadata holds: all
 * of it is text, links go to http and https only, and Google's HTML stands in a frame that runs and submits nothing.
 */
export function buildAttribution(pictures: readonly Shown[], grounding: Grounding): Attribution {
  const { webQueries, imageQueries, ...rest } = grounding
  const data = { images: pictures.map(({ name }) => name), webQueries, imageQueries, ...rest }
  return { json: `${JSON.stringify(data, null, 2)}\n`, html: buildPage(pictures, grounding) }
}

/** Nothing is loaded but the pictures beside the page; what is in the frame inherits this, so a foreign image is not fetched. */
const POLICY =
  "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

function buildPage(
  pictures: readonly Shown[],
  { sources, searchEntryPoint, webQueries, imageQueries }: Grounding,
): string {
  const images = pictures.map(
    ({ name, width, height }) =>
      `<img src="${escapeHtml(encodeURIComponent(name))}" width="${width}" height="${height}" alt="${escapeHtml(name)}">`,
  )
  const queries = [...webQueries, ...imageQueries].map(query => `<li>${escapeHtml(query)}</li>`)
  return `${[
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="referrer" content="no-referrer">',
    '<meta name="viewport" content="width=device-width">',
    '<title>Sources</title>',
    '<style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}img{max-width:100%;height:auto}iframe{border:0;width:100%;height:6rem}</style>',
    ...images,
    ...section('Sources', sources.map(toListItem)),
    ...section('Searched for', queries),
    ...(searchEntryPoint === undefined ? [] : ['<h2>Google Search</h2>', toFrame(searchEntryPoint)]),
  ].join('\n')}\n`
}

function section(title: string, items: string[]): string[] {
  return items.length === 0 ? [] : [`<h2>${title}</h2>`, '<ul>', ...items, '</ul>']
}

function toListItem({ kind, uri, title }: Source): string {
  const words = escapeHtml(title?.trim() || uri)
  const href = toWebAddress(uri)
  const link =
    href === undefined ? words : `<a href="${escapeHtml(href)}" target="_blank" rel="noopener noreferrer">${words}</a>`
  return `<li>${kind === 'image' ? `${link} (picture)` : link}</li>`
}

/** The address as a browser would read it, if it is one of the web; `javascript:`, `data:` and the like are none. */
function toWebAddress(uri: string): string | undefined {
  const url = URL.parse(uri)
  return url && (url.protocol === 'https:' || url.protocol === 'http:') ? url.href : undefined
}

/** Google's suggestions as they came. Their links have to open, in a window of their own; scripts and forms do not. */
function toFrame(html: string): string {
  const sandbox = 'allow-popups allow-popups-to-escape-sandbox'
  const content = escapeHtml(`<base target="_blank">${html}`)
  return `<iframe sandbox="${sandbox}" referrerpolicy="no-referrer" title="Google Search suggestions" srcdoc="${content}"></iframe>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.toWellFormed().replace(/[&<>"']/g, character => ENTITIES[character] ?? '')
}
