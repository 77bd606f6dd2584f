import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import sharp from 'sharp'
import { expect, onTestFinished, test } from 'vitest'
import { DEMO_JOBS, type DemoJob, QUEUED_JOB } from '../../infra/cli/demo-jobs.ts'
import { expectedPixels, MODELS, nearestRatio } from '../../lib/models.ts'
import type { Result } from '../../lib/result.ts'

const project = join(import.meta.dirname, '../..')

async function runDemo(folder: string): Promise<{ code: number; output: string }> {
  const { GEMINI_API_KEY: _, ...env } = process.env
  const demo = spawn(process.execPath, [join(project, 'infra/cli/demo.ts')], { cwd: folder, env })
  const chunks: Buffer[] = []
  demo.stdout.on('data', chunk => chunks.push(chunk))
  demo.stderr.on('data', chunk => chunks.push(chunk))
  const [code] = await once(demo, 'close')
  return { code, output: Buffer.concat(chunks).toString() }
}

/** The share of pixels, from 0 to 1, in which a picture visibly differs from its input at the picture's size. */
async function shareChanged(input: string, picture: string): Promise<number> {
  const { data, info } = await sharp(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  const before = await sharp(input)
    .toColourspace('srgb')
    .resize(info.width, info.height, { fit: 'cover' })
    .removeAlpha()
    .raw()
    .toBuffer()
  let changed = 0
  for (let at = 0; at < data.length; at += 3) {
    const distance = [0, 1, 2].reduce(
      (sum, band) => sum + Math.abs((data[at + band] ?? 0) - (before[at + band] ?? 0)),
      0,
    )
    if (distance > 24) changed += 1
  }
  return changed / (data.length / 3)
}

function askedPixels({ job, inputs }: Result) {
  const model = MODELS['gemini-nano-banana-2.1']
  const [photo] = inputs
  if (!model || !photo) throw new Error('the demo edits photos with the default model')
  const ratio = job.imageConfig?.aspectRatio ?? nearestRatio(model, photo.width, photo.height)
  return expectedPixels(model, ratio, job.imageConfig?.imageSize)
}

test('the demo leaves at least four changed pictures of the size asked for, each with its result', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-demo-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const { code, output } = await runDemo(folder)
  expect(output).toContain('6 prints in darkroom-out/')
  expect(code).toBe(0)

  const out = join(folder, 'darkroom-out')
  const files = await readdir(out, { recursive: true })
  const shares: Record<string, number> = {}
  for (const job of [...DEMO_JOBS, QUEUED_JOB] as DemoJob[]) {
    const found = files.find(file => file.startsWith(`${job.folder}/`) && basename(file) === 'result.json')
    const result = JSON.parse(await readFile(join(out, found ?? ''), 'utf8')) as Result
    const picture = join(out, dirname(found ?? ''), 'image-1.jpg')
    const { width, height } = await sharp(picture).metadata()
    expect([width, height]).toEqual(askedPixels(result))
    expect(result).toMatchObject({
      status: 'done',
      warnings: [],
      job: { operation: job.operation },
      images: [{ width, height }],
    })
    expect(Object.keys(result)).toEqual(
      expect.arrayContaining(['model', 'inputs', 'usage', 'cost', 'attempts', 'timing', 'text']),
    )
    shares[job.name] = await shareChanged(job.file, picture)
  }
  const changed = Object.entries(shares).filter(([, share]) => share > 0.5)
  expect(changed.length, JSON.stringify(shares)).toBeGreaterThanOrEqual(4)
  expect(shares['french-alpine-landscape'], 'an inpainting leaves most as it is').toBeLessThan(0.5)
}, 120_000)
