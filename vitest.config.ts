import { defineConfig } from 'vitest/config'
import { presentParts } from './scripts/system.mjs'

const conditions = ['@eitherway/source', 'module', 'node', 'development|production']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'bench/test/**/*.test.ts', 'examples/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'examples/scratch/**'],
    typecheck: {
      enabled: true,
      include: ['packages/*/test/**/*.test-d.ts'],
      ignoreSourceErrors: true, // `npm run types` tells those of everything else
    },
    env: { EITHERWAY_PARTS: process.env['EITHERWAY_PARTS'] ?? presentParts().join() },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // A machine under load is late, and not wrong.
    expect: { poll: { timeout: 15_000 } },
    reporters: ['default'],
    // These differ by default where CI is set: here they are the same everywhere.
    watch: false,
    allowOnly: false,
    update: 'none',
  },
})
