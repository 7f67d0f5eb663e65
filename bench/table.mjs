import { geometricMean, spreadOf, verdictOf } from './spread.mjs'

/**
 * @typedef {import('./bench.mjs').Sample} Sample
 * @typedef {import('./bench.mjs').Figure} Figure
 * @typedef {import('./pair.mjs').Row & { title: string, bare: string, isMixed: boolean }} TitledRow
 */

/** The column of the geometric means. */
const mean = 'mean'

/**
 * Numbers in their order: they may have come in any. Others as they came.
 * @param {readonly Sample[]} samples
 */
function casesOf(samples) {
  const cases = [...new Set(samples.map((sample) => sample.case))]
  return cases.every((name) => /^[0-9]+$/.test(name)) ? cases.sort((a, b) => Number(a) - Number(b)) : cases
}

/**
 * The samples of one figure, to be asked by row, case and round.
 * @param {readonly Sample[]} samples
 */
function indexOf(samples) {
  /** @type {Map<string, Map<number, number>>} */
  const values = new Map()
  for (const { row, case: name, round, value } of samples) {
    const key = `${row}\n${name}`
    const rounds = values.get(key) ?? new Map()
    values.set(key, rounds.set(round, value))
  }
  return (/** @type {string} */ row, /** @type {string} */ name) => values.get(`${row}\n${name}`) ?? new Map()
}

/**
 * The ratios of one cell to another, of the rounds that both have.
 * @param {Map<number, number>} one
 * @param {Map<number, number>} other
 * @returns {Map<number, number>}
 */
function ratiosOf(one, other) {
  /** @type {Map<number, number>} */
  const ratios = new Map()
  for (const [round, value] of one) {
    const base = other.get(round)
    if (base !== undefined && base > 0 && value > 0) ratios.set(round, value / base)
  }
  return ratios
}

/**
 * The geometric mean over the cases, for each round that all of them have.
 * @param {readonly Map<number, number>[]} cases
 * @returns {Map<number, number>}
 */
function meansOf(cases) {
  /** @type {Map<number, number>} */
  const means = new Map()
  for (const round of cases[0]?.keys() ?? []) {
    const values = cases.map((ratios) => ratios.get(round))
    if (values.every((value) => value !== undefined)) means.set(round, geometricMean(values))
  }
  return means
}

/**
 * A figure's table in Markdown.
 * @param {Figure} figure
 * @param {readonly Sample[]} samples - of this figure
 * @param {readonly TitledRow[]} rows
 * @returns {string[]} its lines
 */
export function tableOf(figure, samples, rows) {
  const cases = casesOf(samples)
  const valuesOf = indexOf(samples)
  const present = rows.filter(({ name }) => samples.some(({ row }) => row === name))
  const hasMean = figure.base === 'raw' && cases.length > 1
  const lines = [
    `| ${[figure.title, ...cases, ...(hasMean ? [mean] : [])].join(' | ')} |`,
    `|${' --- |'.repeat(1 + cases.length + (hasMean ? 1 : 0))}`,
  ]
  for (const row of present) {
    const base =
      figure.base === 'raw' ? 'raw-net' : figure.base === 'bare' ? (figure.of ?? row.bare) : row.name
    const ratios = cases.map((name) =>
      ratiosOf(valuesOf(row.name, name), valuesOf(base, figure.base === 'first' ? (cases[0] ?? '') : name)),
    )
    const cells = cases.map((name, index) => {
      const absolute = [...valuesOf(row.name, name).values()]
      if (figure.base === 'self') return show(absolute)
      const isBase = figure.base === 'first' ? index === 0 : row.name === base
      const ratio = isBase ? '' : show([...(ratios[index]?.values() ?? [])])
      if (figure.base === 'raw' && ratio !== '') return ratio
      return [withUnit(absolute, figure.unit), ratio === '' ? '' : `× ${ratio}`].filter(Boolean).join(' = ')
    })
    if (hasMean) cells.push(row.name === base ? '1' : show([...meansOf(ratios).values()]))
    lines.push(`| ${[row.title, ...cells].join(' | ')} |`)
  }
  return lines
}

/**
 * How ours of today stands to ours of another commit.
 * @param {readonly { figure: Figure, scenario: string, rows: readonly TitledRow[], samples: readonly Sample[] }[]} results
 * @returns {string[]} the lines of a table
 */
export function againstOf(results) {
  const lines = ['| Scenario | Figure | Row | new / old | |', '| --- | --- | --- | --- | --- |']
  for (const { figure, scenario, rows, samples } of results) {
    const valuesOf = indexOf(samples)
    for (const old of rows.filter(({ name }) => name.includes('@'))) {
      const cases = [...new Set(samples.filter(({ row }) => row === old.name).map((sample) => sample.case))]
      if (cases.length === 0) continue
      const ratios = cases.map((name) => ratiosOf(valuesOf(old.contender, name), valuesOf(old.name, name)))
      const means = [...meansOf(ratios).values()]
      lines.push(
        `| ${scenario} | ${figure.title} | ${old.contender} | ${show(means)} | ${verdictOf(means)} |`,
      )
    }
  }
  return lines
}

/** @param {readonly number[]} values */
function show(values) {
  const spread = spreadOf(values)
  if (spread === undefined) return '–'
  const { median, low, high, rounds } = spread
  return rounds === 1 ? digits(median) : `${digits(median)} (${digits(low)}–${digits(high)})`
}

/**
 * @param {readonly number[]} values
 * @param {string} unit
 */
function withUnit(values, unit) {
  const spread = spreadOf(values)
  return spread === undefined ? '–' : `${digits(spread.median)} ${unit}`
}

/** @param {number} value */
const digits = (value) => (Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(value < 100 ? 1 : 0))
