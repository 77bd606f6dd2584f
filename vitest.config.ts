import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They take minutes and have a command of their own: npm run test:faults.
    exclude: [...configDefaults.exclude, 'test/faults/**'],
    // Flows start processes of their own, and two cores have no more to give.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
