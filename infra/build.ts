/** Bundles every file of `functions/` to `dist/functions/<name>/index.mjs`, as Lambda runs it. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

const root = join(import.meta.dirname, '..')
const outdir = join(root, 'dist/functions')
const names = (await readdir(join(root, 'functions')))
  .filter(file => file.endsWith('.ts'))
  .map(file => file.slice(0, -3))

await rm(outdir, { recursive: true, force: true })
const { metafile } = await build({
  entryPoints: Object.fromEntries(names.map(name => [`${name}/index`, join(root, 'functions', `${name}.ts`)])),
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  minify: true,
  keepNames: true,
  metafile: true,
  legalComments: 'none',
  // The AWS SDK and its dependencies still call require for Node's own modules.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
})

if (!process.argv.includes('--quiet')) {
  for (const [file, { bytes }] of Object.entries(metafile.outputs))
    console.log(`${file} ${Math.round(bytes / 1000)} kB`)
}
