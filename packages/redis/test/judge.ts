import type { Gap } from '@eitherway/core'
import { fromId, isAfter, type Position } from '../src/position.ts'

/** A message, as it was confirmed or heard. */
export interface Heard {
  readonly id: string
  readonly channel: string
  readonly data: string
}

/** What a client was told, in order. */
export interface Account {
  readonly name: string
  readonly channels: readonly string[]
  readonly told: readonly (Heard | Gap)[]
  /** Where it stood at the end. */
  readonly position: string
}

export interface Evidence {
  readonly confirmed: readonly Heard[]
  /** The data of those of which it was said that nothing was published. */
  readonly lost: ReadonlySet<string>
  /** For each time that Redis lost what it had: an id of the life of it that ended so. */
  readonly losses: readonly string[]
  readonly accounts: readonly Account[]
}

export interface Verdict {
  /** What was confirmed, or heard by anybody. */
  readonly messages: number
  /** Lives of Redis in which something was published. */
  readonly epochs: number
  readonly heard: number
  readonly gaps: number
  /** What must not be, in words; nothing else is wrong. */
  readonly wrongs: readonly string[]
}

/**
 * Counts everybody: each heard all of its channels once and in order, from its first message to the very last; or was told a gap, and
 * that only where Redis lost what it had.
 */
export function judge({ confirmed, lost, losses, accounts }: Evidence): Verdict {
  const wrongs: string[] = []
  const all = new Map<string, Heard>()
  const lists = [confirmed, ...accounts.map(({ told }) => told.filter(isHeard))]
  for (const one of lists.flat()) {
    const known = all.get(one.id)
    if (known === undefined) all.set(one.id, one)
    else if (known.data !== one.data || known.channel !== one.channel)
      wrongs.push(`${one.id} is ${known.data} and ${one.data}`)
  }
  const truth = [...all.values()].sort((one, other) => (isAfter(at(one), at(other)) ? 1 : -1))
  const copies = new Set<string>()
  for (const { id, data } of truth) {
    if (lost.has(data)) wrongs.push(`${data} was said not to be published, and has the id ${id}`)
    if (copies.has(data)) wrongs.push(`${data} was published twice, the second time as ${id}`)
    copies.add(data)
  }
  const ended = losses.map((id) => epochOf({ id }))
  const epochs = new Set(truth.map(epochOf)).size
  for (const account of accounts) wrongs.push(...wrongsOf(account, truth, ended))
  const told = accounts.flatMap((account) => account.told)
  const heard = told.filter(isHeard).length
  return { messages: truth.length, epochs, heard, gaps: told.length - heard, wrongs }
}

/** @param ended - the epochs at whose end Redis lost what it had. */
function wrongsOf(
  { name, channels, told, position }: Account,
  truth: readonly Heard[],
  ended: readonly number[],
): string[] {
  const due = truth.filter(({ channel }) => channels.includes(channel))
  const places = new Map(due.map(({ id }, place) => [id, place]))
  const wrongs: string[] = []
  /** Whether Redis lost what it had after the one, and before the other. */
  const isLoss = (before: Heard | undefined, one: Heard) =>
    ended.some((epoch) => before !== undefined && epochOf(before) <= epoch && epochOf(one) > epoch)
  let next = 0
  let hasGap = false
  for (const one of told) {
    if (!isHeard(one)) {
      hasGap = true
      const isWhole = channels.every((channel) => one.channels.includes(channel))
      if (one.reason !== 'epoch' || !isWhole)
        wrongs.push(`${name} was told a gap of reason ${one.reason} in ${one.channels.join()}`)
      continue
    }
    const place = places.get(one.id)
    const before = due[next - 1]
    if (place === undefined)
      wrongs.push(`${name} heard ${one.id} of ${one.channel}, which it does not follow`)
    else if (place < next) wrongs.push(`${name} heard ${one.id} after ${before?.id}`)
    else {
      if (!hasGap && place > next)
        wrongs.push(`${name} missed ${place - next} from ${due[next]?.id} on, without a gap`)
      if (hasGap && !isLoss(before, one))
        wrongs.push(`${name} was told a gap before ${one.id}, where nothing was lost`)
      if (!hasGap && isLoss(before, one))
        wrongs.push(`${name} was told no gap before ${one.id}, where Redis lost its data`)
      next = place + 1
      hasGap = false
    }
  }
  const last = due.at(-1)
  // Who came back when all was over was told of the loss, and there was nothing more to hear.
  const isBehindAll = last !== undefined && !isAfter(at(last), at({ id: position }))
  const isExcused = hasGap && isBehindAll && isLoss(due[next - 1], last)
  if (next < due.length && !isExcused)
    wrongs.push(`${name} did not hear the last ${due.length - next} from ${due[next]?.id} on`)
  return wrongs
}

const isHeard = (one: Heard | Gap): one is Heard => 'id' in one

const epochOf = (one: Pick<Heard, 'id'>): number => at(one).epoch

function at({ id }: Pick<Heard, 'id'>): Position {
  const position = fromId(id)
  if (position === undefined) throw new Error(`"${id}" is no id`)
  return position
}
