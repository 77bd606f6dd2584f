import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They take minutes and have a command of their own: npm run test:faults.
    globalSetup: 'test/unpack-bundles.ts',
    exclude: [...configDefaults.exclude, 'test/faults/**'],
    // Flows mostly wait, for leases and clocks; more than three at once would take the time that these clocks count.
    maxWorkers: 3,
    testTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 60_000,
  },
})
