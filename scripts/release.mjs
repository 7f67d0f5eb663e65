// Publishes whatever has a version that the registry has not: what .github/workflows/release.yml runs.
import { pnpm } from './install.mjs'
import { runNode, script } from './run.mjs'

await script(() => {
  if (process.env['GITHUB_ACTIONS'] !== 'true') {
    throw new Error(
      'packages are published by the workflow, so that the registry holds how they were made: push to main instead',
    )
  }
  if (!runNode('scripts/packages.mjs')) process.exit(1)
  // Within pnpm, where Changesets finds it.
  process.exitCode = pnpm(['exec', 'changeset', 'publish'], { stdio: 'inherit' }).status ?? 1
})
