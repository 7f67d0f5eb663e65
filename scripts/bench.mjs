import { help, optionsOf } from '../bench/options.mjs'
import { become, runNode, script } from './run.mjs'

const args = process.argv.slice(2)

await script(() => {
  if (optionsOf(args).help) {
    process.stdout.write(help)
    process.exit()
  }
  if (!runNode('scripts/build.mjs')) process.exit(1)
})
await become('bench/main.mjs', args)
