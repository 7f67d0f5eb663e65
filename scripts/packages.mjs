// What users get, by every compiler: the long form of what `npm test` checks of the packed packages.
import { become } from './run.mjs'

process.env['EITHERWAY_LONG'] = '1'
await become('scripts/test.mjs', ['packages/interop/test/packed', ...process.argv.slice(2)])
