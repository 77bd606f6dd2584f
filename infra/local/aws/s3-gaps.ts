import type { Fauxqs } from './fauxqs.ts'

const mebibyte = 1024 * 1024
// A PUT may be 5 GiB in S3; here it is held in memory, and inputs end at 50 MB.
const bodyLimit = 128 * mebibyte

/** The subresources that fauxqs serves, or that change nothing for it. Any other is answered with 501. */
const servedSubresources: Record<string, readonly string[]> = {
  'PUT bucket': ['lifecycle'],
  'PUT object': ['uploadId', 'partNumber', 'renameObject'],
  'POST bucket': ['delete'],
  'POST object': ['uploads', 'uploadId'],
  'DELETE bucket': ['lifecycle'],
  'DELETE object': ['uploadId'],
  'GET object': ['attributes', 'partNumber'],
  'HEAD object': ['partNumber'],
}
const listParameters =
  'lifecycle list-type prefix delimiter max-keys marker start-after continuation-token encoding-type fetch-owner'
servedSubresources['GET bucket'] = listParameters.split(' ')

/**
 * Closes fauxqs's gaps before its handlers see the request: large and empty bodies, metadata in presigned addresses,
 * conditional requests, and subresources that it would take for the object itself.
 */
export function closeS3Gaps(app: Fauxqs['app'], s3Store: Fauxqs['s3Store']): void {
  acceptAnyBody(app)
  listInByteOrder(s3Store)

  // Takes a callback and never waits, so that nothing comes between the condition and the write behind it.
  app.addHook('preHandler', (request, reply, done) => {
    const target = readTarget(request.raw.url ?? '/')
    if (target === undefined) return sendError(reply, 400, 'InvalidURI', 'The key is not valid percent-encoded UTF-8')
    const { bucket, key } = target
    if (bucket === '' || bucket === 'health' || bucket === '_fauxqs' || isQueueAddress(request.headers)) return done()

    request.body ??= Buffer.alloc(0)
    const query = request.query as Record<string, string>
    for (const [name, value] of Object.entries(query)) {
      if (name.toLowerCase().startsWith('x-amz-meta-')) request.headers[name.toLowerCase()] = value
    }
    const served = servedSubresources[`${request.method} ${key ? 'object' : 'bucket'}`] ?? []
    const unknown = Object.keys(query).find(name => !isHarmless(name) && !served.includes(name))
    if (unknown)
      return sendError(reply, 501, 'NotImplemented', `The local S3 does not serve ${request.method} ?${unknown}`)

    const current = s3Store.hasBucket(bucket) ? findObject(s3Store, bucket, key) : undefined
    const refusal = checkConditions(request.method, query, request.headers, current?.etag)
    if (refusal) return sendError(reply, ...refusal)
    done()
  })
}

type Refusal = [status: number, code: string, message: string]

function checkConditions(
  method: string,
  query: Record<string, string>,
  headers: Record<string, unknown>,
  etag: string | undefined,
): Refusal | undefined {
  const isWrite = (method === 'PUT' && !('partNumber' in query)) || (method === 'POST' && 'uploadId' in query)
  const isRead = method === 'GET' || method === 'HEAD'
  const ifMatch = headers['if-match']
  if (typeof ifMatch === 'string' && (isWrite || isRead)) {
    if (etag === undefined) return isWrite ? [404, 'NoSuchKey', 'The specified key does not exist.'] : undefined
    if (ifMatch !== '*' && unquote(ifMatch) !== unquote(etag)) return preconditionFailed
    // Checked here, with or without quotation marks; the handler would compare the bare text.
    delete headers['if-match']
  }
  return isWrite && headers['if-none-match'] === '*' && etag !== undefined ? preconditionFailed : undefined
}

const preconditionFailed: Refusal = [
  412,
  'PreconditionFailed',
  'At least one of the pre-conditions you specified did not hold',
]

type Reply = { status(code: number): Reply; header(name: string, value: string): Reply; send(body?: string): unknown }

function sendError(reply: Reply, status: number, code: string, message: string): void {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  reply.status(status).header('content-type', 'application/xml').send(xml)
}

function findObject(s3Store: Fauxqs['s3Store'], bucket: string, key: string) {
  try {
    return s3Store.headObject(bucket, key)
  } catch {
    return undefined
  }
}

/** The bucket and key of an address in path style, undefined where it is no percent-encoded UTF-8. */
export function readTarget(url: string): { bucket: string; key: string } | undefined {
  const [, bucket = '', key = ''] = /^\/([^/?]*)\/?([^?]*)/.exec(url) ?? []
  try {
    return { bucket: decodeURIComponent(bucket), key: decodeURIComponent(key) }
  } catch {
    return undefined
  }
}

const isQueueAddress = (headers: Record<string, unknown>) => 'x-amz-target' in headers

// Signatures, checksums and the SDK's own markers travel in the query of presigned addresses.
const isHarmless = (name: string) => /^(x-amz-|x-id$|versionId$|response-)/i.test(name)

const unquote = (etag: string) => etag.replace(/^"(.*)"$/, '$1')

function acceptAnyBody(app: Fauxqs['app']): void {
  const toText = (body: unknown) => String(body)
  const readers: Record<string, (body: unknown) => unknown> = {
    '*': body => body,
    'application/x-amz-json-1.0': body => JSON.parse(toText(body)),
    'application/x-www-form-urlencoded': body => Object.fromEntries(new URLSearchParams(toText(body))),
  }
  for (const [contentType, read] of Object.entries(readers)) {
    app.removeContentTypeParser(contentType)
    app.addContentTypeParser(contentType, { parseAs: 'buffer', bodyLimit }, (request, body, done) => {
      try {
        // An object may be of any type; only what goes to the root or to a queue speaks these protocols.
        done(null, request.method === 'POST' ? read(body) : body)
      } catch (error) {
        done(error as Error)
      }
    })
  }
}

// fauxqs sorts by the machine's language but pages by code units, so that pages would skip keys and repeat them.
function listInByteOrder(s3Store: Fauxqs['s3Store']): void {
  const list = s3Store.listObjects.bind(s3Store)
  s3Store.listObjects = (bucket, options = {}) => {
    const { objects, commonPrefixes } = list(bucket, { ...options, maxKeys: Number.POSITIVE_INFINITY })
    const entries = [
      ...objects.map(object => ({ name: object.key, object })),
      ...commonPrefixes.map(name => ({ name, object: undefined })),
    ].sort((a, b) => (a.name < b.name ? -1 : 1))
    const page = entries.slice(0, options.maxKeys ?? 1000)
    return {
      objects: page.flatMap(entry => entry.object ?? []),
      commonPrefixes: page.flatMap(entry => (entry.object ? [] : entry.name)),
      isTruncated: entries.length > page.length,
    }
  }
}
