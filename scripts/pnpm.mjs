import { pnpm } from './install.mjs'

process.exitCode = pnpm(process.argv.slice(2), { stdio: 'inherit' }).status ?? 1
