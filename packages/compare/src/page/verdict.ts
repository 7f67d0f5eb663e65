import { compareCells, type Figure } from '../figure.ts'
import { type Findings, valuesOf } from '../report.ts'
import type { Flag } from './feed.ts'

/** How our two transports stand to one another in one figure of one case. */
export interface Verdict {
  /** For whom it speaks, where the figure is a contest and the difference is beyond the noise. */
  readonly winner: Flag | undefined
  readonly text: string
  /** Whether there are too few rounds to tell. */
  readonly isOpen?: true
}

const names: Readonly<Record<Flag, string>> = { sse: 'SSE', ws: 'WebSocket' }

/** @returns `undefined` where one of the two was not measured. */
export function verdictOf(findings: Findings, figure: Figure, title: string): Verdict | undefined {
  const [sse, ws] = [
    valuesOf(findings, 'sse', figure.name, title),
    valuesOf(findings, 'ws', figure.name, title),
  ]
  const compared = compareCells(sse, ws)
  if (compared === undefined) return undefined
  const { verdict, ratio } = compared
  if (verdict === 'tie' || verdict === 'open') {
    // Equal to the last digit, as counted bytes are, is no matter of noise.
    const isSame = [...sse, ...ws].every((value) => value === sse[0])
    if (isSame) return { winner: undefined, text: 'the same' }
    return verdict === 'open'
      ? { winner: undefined, text: 'too few rounds', isOpen: true }
      : { winner: undefined, text: 'a tie' }
  }
  const ahead: Flag = (verdict === 'less') === (figure.better === 'less') ? 'sse' : 'ws'
  const word = figure.better === 'less' ? 'less' : 'more'
  return {
    winner: figure.better === 'neither' ? undefined : ahead,
    text: `${names[ahead]} ${times(ratio)}${word}`,
  }
}

function times(ratio: number | undefined): string {
  if (ratio === undefined || ratio <= 0) return ''
  const size = Math.max(ratio, 1 / ratio)
  // 1.02 is better said in percent than in times.
  if (size < 1.1) return `${((size - 1) * 100).toFixed(1)} % `
  return `${size.toFixed(size < 10 ? 1 : 0)} × `
}
