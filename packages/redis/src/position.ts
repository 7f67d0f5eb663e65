/**
 * A place in the order of all messages: the epoch, and the number within it. Epochs are ordered as well: a later one is larger.
 */
export interface Position {
  readonly epoch: number
  readonly number: number
}

/** Before all others. */
export const nowhere: Position = { epoch: 0, number: 0 }

/** Whether one comes after another. */
export function isAfter(one: Position, other: Position): boolean {
  return one.epoch > other.epoch || (one.epoch === other.epoch && one.number > other.number)
}

/** As clients have it: `<epoch>-<number>`, the epoch in base 36. */
export function toId({ epoch, number }: Position): string {
  return `${epoch.toString(36)}-${number}`
}

/** Makes the ids of one epoch, by their numbers. */
export function idsOf(epoch: number): (number: number) => string {
  const prefix = `${epoch.toString(36)}-`
  return (number) => prefix + number
}

/** @returns `undefined` when it is none that we could have given. */
export function fromId(id: string): Position | undefined {
  const match = /^([1-9a-z][0-9a-z]{0,10})-(0|[1-9][0-9]{0,14})$/.exec(id)
  if (match === null) return undefined
  const epoch = Number.parseInt(match[1] as string, 36)
  return Number.isSafeInteger(epoch) ? { epoch, number: Number(match[2]) } : undefined
}

/** As Redis has it: the id of an entry in a stream. */
export function toEntryId({ epoch, number }: Position): string {
  return `${epoch}-${number}`
}

/** @returns `undefined` where there is none. */
export function fromEntryId(id: string): Position | undefined {
  const match = /^([0-9]+)-([0-9]+)$/.exec(id)
  return match === null ? undefined : { epoch: Number(match[1]), number: Number(match[2]) }
}
