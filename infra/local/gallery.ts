import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GetObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3'
import { splitUri } from '../../lib/aws/keys.ts'
import { sniffImage } from '../../lib/image.ts'
import type { Result } from '../../lib/result.ts'
import { readResult } from './results.ts'
import type { Stack } from './stack.ts'

export type Gallery = AsyncDisposable & { url: string }

/** The newest prints on one page; older ones are in the bucket. */
const SHOWN = 60
/** What pages and pictures may do: show pictures of this server, and nothing else, whatever a name or a text holds. */
const POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"
/** A page of somebody's may ask under a name of its own that leads here, and then read the answer: those are refused. */
const OWN_HOST = /^(?:127\.0\.0\.1|localhost)(?::\d+)?$/i

/** Serves a page of the local stack's results, photo beside print, on a free port of the loopback. */
export async function startGallery(stack: Stack): Promise<Gallery> {
  const server = createServer((request, response) => {
    const url = URL.parse(request.url ?? '/', 'http://gallery')
    if (!OWN_HOST.test(request.headers.host ?? '')) return response.writeHead(403).end('not a name of this machine')
    if (!url) return response.writeHead(400).end('not an address')
    const answer = url.pathname === '/object' ? sendPicture(stack, url, response) : sendPage(stack, response)
    answer.catch(() => response.writeHead(404).end('not found'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

async function sendPage(stack: Stack, response: ServerResponse): Promise<void> {
  const results = await readNewest(stack)
  const cards = results.map(result => renderCard(stack.env.RESULTS_BUCKET ?? '', result)).join('\n')
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY })
  response.end(`${HEAD}<main>${cards || '<p>No prints yet.</p>'}</main>`)
}

async function readNewest(stack: Stack): Promise<Result[]> {
  const bucket = stack.env.RESULTS_BUCKET ?? ''
  const found: { key: string; at: number }[] = []
  for await (const page of paginateListObjectsV2({ client: stack.s3 }, { Bucket: bucket })) {
    for (const { Key = '', LastModified } of page.Contents ?? []) {
      if (Key.endsWith('/result.json')) found.push({ key: Key, at: LastModified?.getTime() ?? 0 })
    }
  }
  const newest = found.toSorted((a, b) => b.at - a.at).slice(0, SHOWN)
  return Promise.all(newest.map(({ key }) => readResult(stack, { bucket, key })))
}

function renderCard(bucket: string, { job, status, error, inputs, images, model, cost }: Result): string {
  const before = inputs.map(({ uri }) => picture(uri, 'input'))
  const after = images.map(({ key }) => picture(`s3://${bucket}/${key}`, 'print'))
  const facts = [
    job.operation,
    model?.used,
    images[0] && `${images[0].width}×${images[0].height}`,
    `$${cost.usd.toFixed(4)}`,
  ]
  const words = error ? `${error.code}: ${error.message}` : (job.prompt ?? '')
  return `<article><div>${[...before, ...after].join('')}</div>
<h2>${escapeHtml(status)} · ${escapeHtml(job.id)}</h2><p>${escapeHtml(facts.filter(Boolean).join(' · '))}</p><p>${escapeHtml(words.slice(0, 300))}</p></article>`
}

function picture(uri: string, alt: string): string {
  return `<img loading="lazy" alt="${alt}" src="/object?uri=${escapeHtml(encodeURIComponent(uri))}">`
}

/** Objects of Darkroom's own buckets that are pictures by their bytes. */
async function sendPicture(stack: Stack, url: URL, response: ServerResponse): Promise<void> {
  const { Bucket, Key } = splitUri(url.searchParams.get('uri') ?? '')
  const own = [stack.env.UPLOADS_BUCKET, stack.env.RESULTS_BUCKET, stack.env.RECIPES_BUCKET]
  if (!own.includes(Bucket)) throw new Error(`${Bucket} is none of Darkroom's buckets`)
  const { Body } = await stack.s3.send(new GetObjectCommand({ Bucket, Key }))
  const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
  const type = sniffImage(bytes)
  if (!type) throw new Error(`${Key} is no picture`)
  response.writeHead(200, {
    'content-type': type,
    'x-content-type-options': 'nosniff',
    'content-security-policy': POLICY,
  })
  response.end(bytes)
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

const HEAD = `<!doctype html><meta charset="utf-8"><title>Darkroom</title><meta http-equiv="refresh" content="5">
<style>
body{margin:0;padding:2rem;background:#1b1a19;color:#eee;font:14px/1.5 system-ui,sans-serif}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(420px,1fr));gap:1.5rem}
article{background:#262423;padding:1rem;border-radius:6px}
article div{display:flex;gap:.5rem;align-items:flex-start;flex-wrap:wrap}
img{flex:1 1 180px;min-width:0;max-width:100%;max-height:260px;object-fit:contain;background:#111}
h2{font-size:14px;margin:.8rem 0 0;overflow-wrap:anywhere}p{margin:.2rem 0;color:#bbb;overflow-wrap:anywhere}
</style><h1>Darkroom</h1>`
