import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Bench, openDarkroom, until } from '../helpers/darkroom.ts'

const MB = 1_000_000
const LARGE = ['one', 'two', 'three', 'four', 'five']

describe('inputs that are too large for one request', () => {
  let darkroom: Bench
  beforeAll(async () => {
    // Function's time-outs are in virtual time, and a hundred megabytes take their real seconds.
    darkroom = await openDarkroom({ clockFactor: 10 })
    const [width, height] = [2800, 2400]
    const raw = { width, height, channels: 3 } as const
    const picture = await sharp(randomBytes(width * height * 3), { raw })
      .png({ compressionLevel: 0 })
      .toBuffer()
    expect(picture.length).toBeGreaterThan(20 * MB)
    for (const name of LARGE) await darkroom.drop(`large/${name}.png`, picture)
    await darkroom.drop('large/small.png', await sharp(picture).resize(64).png().toBuffer())
  })
  afterEach(() => darkroom.gemini.control.clear())
  afterAll(() => darkroom[Symbol.asyncDispose]())

  const inputs = [...LARGE, 'small'].map(name => `large/${name}.png`)
  const compose = (id: string) =>
    darkroom.send({
      id,
      operation: 'edit',
      prompt: `put them together for ${id}`,
      inputs: inputs.map(key => `s3://${darkroom.env.UPLOADS_BUCKET}/${key}`),
    })
  const callsFor = (id: string) => darkroom.gemini.calls.filter(call => call.prompt.includes(id))
  const ask = async (path: string, method = 'GET') => {
    const { baseUrl, apiKey } = darkroom.gemini
    return fetch(`${baseUrl}/v1beta/${path}`, { method, headers: { 'x-goog-api-key': apiKey } })
  }
  const filesAtGoogle = async () =>
    ((await (await ask('files')).json()) as { files: { name: string; sizeBytes: string }[] }).files

  it('go ahead as files, are held by nobody, and are deleted when the job is over', async () => {
    await compose('hundred')
    await until('the files lie with Google', async () => (await filesAtGoogle()).length === 5, 50_000)
    const result = await darkroom.result('jobs/hundred/')
    expect(result).toMatchObject({ status: 'done', warnings: [], attempts: [{ outcome: 'reply' }] })
    expect(result.inputs.map(({ uri, width, mimeType }) => [uri.split('/').at(-1), width, mimeType])).toEqual([
      ...LARGE.map(name => [`${name}.png`, 2800, 'image/png']),
      ['small.png', 64, 'image/png'],
    ])
    expect(new Set(result.inputs.map(({ sha256 }) => sha256)).size).toBe(2)
    expect(callsFor('hundred')).toMatchObject([{ images: 6, outcome: 'answered' }])
    await until('the files are gone', async () => (await filesAtGoogle()).length === 0)
    if (process.platform !== 'linux') return
    const peak = await peakMegabytes()
    console.log(`five inputs of 20 MB: a function held ${peak} MB at most`)
    expect(peak).toBeLessThan(400)
  }, 90_000)

  it('are sent once, however often the call is tried; only a file that Google has lost is sent again', async () => {
    darkroom.gemini.control.fail({ fault: 'unavailable', match: { promptIncludes: 'lost' } })
    await compose('lost')
    await until('the job waits', async () => (await darkroom.row('lost'))?.status === 'waiting', 60_000)
    const before = (await filesAtGoogle()).map(({ name }) => name)
    expect(before).toHaveLength(5)
    await ask(String(before[2]), 'DELETE')
    const calls = darkroom.gemini.calls.length
    darkroom.gemini.control.clear()
    const releaseFirst = darkroom.gemini.control.hold({ promptIncludes: 'lost' })
    await until('it is tried again', () => darkroom.gemini.calls.length > calls, 60_000)
    const releaseSecond = darkroom.gemini.control.hold({ promptIncludes: 'lost' })
    releaseFirst()
    await until('the lost one lies there again', async () => (await filesAtGoogle()).length === 5, 60_000)
    const after = (await filesAtGoogle()).map(({ name }) => name)
    expect(after.filter(name => before.includes(name))).toHaveLength(4)
    releaseSecond()
    const result = await darkroom.result('jobs/lost/')
    expect(result.status).toBe('done')
    const outcomes = result.attempts.map(({ outcome }) => outcome)
    expect(outcomes.slice(-2)).toEqual(['ERR_GEMINI_FILE_LOST', 'reply'])
    expect(outcomes.filter(outcome => outcome === 'ERR_GEMINI_FILE_LOST')).toHaveLength(1)
    // Nobody took the 403 for a wrong key.
    expect(darkroom.lines.filter(line => line.includes('ERR_GEMINI_KEY'))).toEqual([])
    await until('the files are gone', async () => (await filesAtGoogle()).length === 0)
  }, 120_000)
})

/** The most memory that a function's process ever held, as Linux counts it; the functions are this process's only children. */
async function peakMegabytes(): Promise<number> {
  const tasks = await readdir('/proc/self/task')
  const lists = await Promise.all(tasks.map(task => readFile(`/proc/self/task/${task}/children`, 'utf8')))
  const pids = lists.flatMap(list => list.trim().split(/\s+/).filter(Boolean))
  const peaks = await Promise.all(
    pids.map(async pid => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1000
    }),
  )
  return Math.round(Math.max(...peaks))
}
