import { pnpm } from './install.mjs'
import { script } from './run.mjs'

await script(() => {
  // One try: who is offline does not wait for it.
  const args = ['audit', '--prod', '--json', '--config.fetch-retries=0', ...process.argv.slice(2)]
  const { status, stdout, stderr, error } = pnpm(args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeoutMs: 30_000,
  })
  const found = vulnerabilitiesIn(String(stdout))
  if (found === undefined) {
    // A mirror that knows no advisories, or no network, is not the fault of whoever runs this.
    const said = `${error?.message ?? ''} ${stderr ?? ''} ${stdout ?? ''}`.replaceAll(/[\s│×]+/g, ' ').trim()
    console.log(`not checked: ${said === '' ? `pnpm audit ended with ${status}` : said.slice(0, 300)}`)
    return
  }
  const count = Object.values(found).reduce((sum, each) => sum + each, 0)
  if (count > 0) {
    const kinds = Object.entries(found).filter(([, each]) => each > 0)
    const said = kinds.map(([severity, each]) => `${each} ${severity}`).join(', ')
    throw new Error(`known vulnerabilities: ${said}; \`npm run pnpm -- audit --prod\` says which`)
  }
  console.log('no known vulnerability in what users install')
})

/**
 * How many of each severity; `undefined` where the registry gave no answer.
 * @param {string} text
 * @returns {Record<string, number> | undefined}
 */
function vulnerabilitiesIn(text) {
  try {
    return JSON.parse(text).metadata?.vulnerabilities
  } catch {
    // An error in words.
    return undefined
  }
}
