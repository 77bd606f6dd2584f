/** Runs Darkroom on this machine until Ctrl-C: photos go into one folder, prints come out in another. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { MESSAGE_LIMIT_BYTES } from '../../lib/job.ts'
import { toPlain } from '../../lib/log.ts'
import { Refusal } from '../deploy/refusal.ts'
import { startDarkroom } from '../local/darkroom.ts'
import { startGallery } from '../local/gallery.ts'
import { followResults, readResult, saveResult } from '../local/results.ts'
import type { Stack } from '../local/stack.ts'
import { readArguments } from './command.ts'
import { finishWork, listenForEnd, tellLeftovers } from './dev-end.ts'
import { lockFolder } from './dev-lock.ts'
import { writeShellFile } from './dev-shell.ts'
import { watchDrops } from './drop-folder.ts'
import { run } from './run.ts'
import { createTeller } from './waits.ts'

const HELP = `npm run dev

Runs the whole of Darkroom on this machine until Ctrl-C. Put a photo into darkroom-in/<recipe>/ and its print appears in
darkroom-out/, with its result.json. Put a <name>.job.json anywhere into darkroom-in/ to run a job of your own.
Recipes are the files of infra/recipes/; one that is new or changed is used from the next photo on, one that is deleted is
gone at the next start. What is under way, and what was taken already, survives a restart in .darkroom/; a file that changes is
edited again. Ctrl-C waits for the edits that are under way; once more, and it ends at once.

GEMINI_API_KEY=…   use Google's Gemini instead of the stand-in, at Google's prices`

const IN = 'darkroom-in'
const RECIPES = 'infra/recipes'
const OUT = 'darkroom-out'
const STATE = '.darkroom'

await run(HELP, () => {
  readArguments({ options: {} })
  return main(process.env.GEMINI_API_KEY)
})

async function main(apiKey: string | undefined): Promise<number> {
  using _lock = lockFolder(STATE)
  const end = listenForEnd()
  const tell = createTeller(sentence => console.log(sentence))
  await using darkroom = await startDarkroom({
    apiKey,
    stateFolder: STATE,
    env: { UPLOADED_JOBS: 'on' },
    paused: true,
    log: ({ line }) => tell(line),
  })
  const { stack } = darkroom
  await using gallery = await startGallery(stack)
  const recipes = (await readdir(RECIPES)).filter(isRecipe).map(toDropFolder)
  await Promise.all(recipes.map(folder => mkdir(folder, { recursive: true })))

  console.log(
    apiKey
      ? "Pictures are made by Google's Gemini, on your key."
      : 'Pictures are drawn by a stand-in: set GEMINI_API_KEY for Google’s.',
  )
  console.log(`Photos go into   ${recipes.map(folder => `${folder}/`).join('  ')}`)
  console.log(`Prints come to   ${OUT}/`)
  console.log(`Gallery          ${gallery.url}`)
  console.log(`Shell            source ${writeShellFile(stack)}   (for aws and npm run darkroom)`)
  console.log(`Logs             ${join(stack.stateFolder, 'logs')}/\nCtrl-C ends it.\n`)
  await tellLeftovers(stack)
  stack.resumePollers()

  const upload = async (key: string, path: string) => {
    checkSize(key, (await stat(path)).size)
    console.log(`${toPlain(key)}: received`)
    await darkroom.upload(key, path)
  }
  const replaceRecipe = async (key: string, path: string) => {
    await darkroom.put(stack.env.RECIPES_BUCKET ?? '', key, path)
    if (isRecipe(key) && (await mkdir(toDropFolder(key), { recursive: true })))
      console.log(`Photos go into   ${toPlain(toDropFolder(key))}/ too`)
  }
  await watchDrops({ folder: IN, memory: join(STATE, 'taken.json') }, upload, end.asked)
  await watchDrops({ folder: RECIPES }, replaceRecipe, end.asked)
  const over = new AbortController()
  await Promise.all([finishWork(stack, end).finally(() => over.abort()), collectPrints(stack, over.signal)])
  console.log('\nClosing.')
  return end.atOnce.aborted ? 130 : 0
}

/** Saves and tells the prints; one that can't be saved is told once, and tried again while its notice comes back. */
async function collectPrints(stack: Stack, signal: AbortSignal): Promise<void> {
  const unsaved = new Set<string>()
  for await (const notice of followResults(stack, signal, unsaved)) {
    try {
      const { status, error, cost } = await readResult(stack, notice)
      const [file = ''] = await saveResult(stack, notice, OUT)
      const shown = existsSync(file) ? relative('.', file) : notice.key
      console.log(
        error ? `${status} ${error.code}: ${error.message} (${shown})` : `${status} ${shown} ($${cost.usd.toFixed(4)})`,
      )
      unsaved.delete(notice.id)
    } catch (error) {
      const why = error instanceof Error ? error.message : error
      if (!unsaved.has(notice.id))
        console.error(
          `print of ${toPlain(notice.key)} could not be saved: ${why}; it is in the results bucket and tried again every 30 seconds, and at the next start`,
        )
      unsaved.add(notice.id)
    }
  }
}

/** What the pipeline would refuse by far is not read whole to be told so. */
function checkSize(key: string, sizeBytes: number): void {
  const limitBytes = key.endsWith('.job.json') ? 1_000_000 : 100_000_000
  if (sizeBytes > limitBytes)
    throw new Refusal(
      `${(sizeBytes / 1e6).toFixed(0)} MB are too many: a photo may have 50 MB, a .job.json ${MESSAGE_LIMIT_BYTES / 1024} KB; not taken`,
    )
}

function isRecipe(key: string): boolean {
  return /^[^/]+\.json$/.test(key) && key !== 'settings.json'
}

function toDropFolder(recipe: string): string {
  return join(IN, basename(recipe, '.json'))
}
