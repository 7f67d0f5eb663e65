import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, runNode, script } from './run.mjs'

if (!runNode('scripts/build.mjs')) process.exit(1)

// npm passes a SIGTERM on to its shell only: the shell dies, and we would live on with the port.
const parent = process.ppid
setInterval(() => process.ppid !== parent && process.kill(process.pid, 'SIGTERM'), 250).unref()

// In this process, on purpose: arguments, output, signals and the exit code are the program's own.
const main = join(root, 'packages/compare/dist/main.js')
process.argv[1] = main
await script(() => import(pathToFileURL(main).href))
