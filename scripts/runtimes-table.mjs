// The two tables of what passes on which runtime: the whole one in its page, and the README's, which follows from it.

const markers = /** @type {const} */ (['<!-- runtimes:start -->', '<!-- runtimes:end -->'])

/**
 * The README's table: of each runtime, how many of the suites that it can run pass without a failure.
 *
 * @param {string} page - the text of `docs/runtimes.md`
 */
export function shortTable(page) {
  const rows = markedIn(page)
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .slice(2) // the head, and the line below it
  if (rows.length === 0) throw new Error('docs/runtimes.md holds no table: `npm run runtimes` writes it')
  return [
    '| Runtime | Version | Conformance suites passed |',
    '| --- | --- | --- |',
    ...rows.map(
      ([, runtime = '', version = '', ...cells]) => `| ${runtime} | ${version} | ${passed(cells)} |`,
    ),
  ].join('\n')
}

/** @param {string[]} cells */
function passed(cells) {
  const asked = cells.filter((cell) => cell !== '' && cell !== '–')
  if (asked.every((cell) => cell === 'not run')) return 'not run'
  const fine = asked.filter((cell) => cell.startsWith('✓')).length
  return `${fine === asked.length ? '✓ ' : ''}${fine} of ${asked.length}`
}

/**
 * What stands between the markers.
 *
 * @param {string} text
 */
export function markedIn(text) {
  const { start, end } = placeIn(text)
  return text.slice(start, end).trim()
}

/**
 * @param {string} text
 * @param {string} table - to stand between its markers
 */
export function withMarked(text, table) {
  const { start, end } = placeIn(text)
  return `${text.slice(0, start)}\n\n${table}\n\n${text.slice(end)}`
}

/** @param {string} text */
function placeIn(text) {
  const start = text.indexOf(markers[0])
  const end = text.indexOf(markers[1])
  if (start < 0 || end < start) throw new Error(`there must be ${markers.join(' and then ')}`)
  return { start: start + markers[0].length, end }
}
