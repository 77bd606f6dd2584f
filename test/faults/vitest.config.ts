import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    globalSetup: 'test/unpack-bundles.ts',
    include: ['test/faults/**/*.test.ts'],
    // Each starts a stack whose clock runs fast, and with less than a core of its own that clock leaves everyone behind.
    maxWorkers: 2,
    maxConcurrency: 20,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
