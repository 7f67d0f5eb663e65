import { become, runNode } from './run.mjs'

if (!runNode('scripts/build.mjs')) process.exit(1)
await become('packages/compare/dist/cli.js', process.argv.slice(2))
