import { readFile } from 'node:fs/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { startGallery } from '../../infra/local/gallery.ts'
import { openDarkroom } from '../helpers/darkroom.ts'
import { photo } from '../helpers/photos.ts'
import { askRaw } from '../helpers/raw-request.ts'

test('the gallery shows photo and print, and runs nothing that a name or a text holds', async () => {
  await using darkroom = await openDarkroom({ clockFactor: 10 })
  await using gallery = await startGallery(darkroom.stack)
  await darkroom.drop('watercolour/<script>alert(1)<!--.jpg', await readFile(photo('dust-bowl-home')))
  await darkroom.drop('nope/"><img src=x onerror=alert(1)>.jpg', 'x')
  await darkroom.result('watercolour/')
  await darkroom.result('nope/')

  const page = await (await fetch(gallery.url)).text()
  expect(page).not.toMatch(/<script|<img src=x/)
  expect(page).toContain('ERR_UPLOAD_NO_RECIPE')
  const sources = Array.from(page.matchAll(/src="([^"]+)"/g), ([, source = '']) => source)
  expect(sources).toHaveLength(2)
  for (const source of sources) {
    const response = await fetch(new URL(source.replaceAll('&#39;', "'"), gallery.url))
    expect(response.status).toBe(200)
    expect(Buffer.from(await response.arrayBuffer()).subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]))
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  }
})

test('the gallery gives away nothing but the pictures of its own buckets', async () => {
  await using darkroom = await openDarkroom({ clockFactor: 10 })
  await using gallery = await startGallery(darkroom.stack)
  const put = (Key: string, Body: Buffer | string) =>
    darkroom.stack.s3.send(new PutObjectCommand({ Bucket: darkroom.env.RESULTS_BUCKET, Key, Body }))
  await put('a.jpg', await readFile(photo('dust-bowl-home')))
  await put('page.jpg', '<!doctype html>')
  const status = async (uri: string) => (await fetch(`${gallery.url}object?uri=${encodeURIComponent(uri)}`)).status
  expect(await status(`s3://${darkroom.env.RESULTS_BUCKET}/a.jpg`)).toBe(200)
  expect(await status(`s3://${darkroom.env.RESULTS_BUCKET}/page.jpg`)).toBe(404)
  expect(await status('s3://somebody-else/a.jpg')).toBe(404)
  expect(await status('nonsense')).toBe(404)
})

test('an address that is none is refused, and the next page is served', async () => {
  await using darkroom = await openDarkroom({ functions: [] })
  await using gallery = await startGallery(darkroom.stack)
  for (const address of ['//', 'http://[']) expect(await askRaw(gallery.url, address)).toMatch(/^HTTP\/1.1 400 /)
  expect((await fetch(gallery.url)).status).toBe(200)
})

test('a page of somebody’s that has a name for this machine reads no prints', async () => {
  await using darkroom = await openDarkroom({ functions: [] })
  await using gallery = await startGallery(darkroom.stack)
  expect(await askRaw(gallery.url, '/', 'evil.example')).toMatch(/^HTTP\/1.1 403 /)
  expect(await askRaw(gallery.url, '/', `localhost:${new URL(gallery.url).port}`)).toMatch(/^HTTP\/1.1 200 /)
})
