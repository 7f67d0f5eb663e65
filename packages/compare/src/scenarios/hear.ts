import type { Contender, Hear, Line } from '../contender.ts'
import { spreadOf, type Unit } from '../figure.ts'
import { formatFigure } from '../format.ts'
import type { Parcel } from '../parcel.ts'
import type { Bench } from '../scenario.ts'

/** One client of a contender that hears a channel of its own. */
export interface Heard extends AsyncDisposable {
  readonly channel: string
  /** As the stage knows it. */
  readonly client: string
  readonly line: Line
  /** Fulfils once so many parcels were heard. @throws Error (by rejection) when they do not come in time. */
  readonly all: Promise<void>
}

/** Longest wait for parcels that were published. */
const lateMs = 20_000

let named = 0

/** Opens one client of this contender and waits until the stage knows it. */
export async function hearAll(
  bench: Bench,
  row: Contender,
  count: number,
  onParcel: (parcel: Parcel) => void,
  hear: Hear = {},
  origin: string = bench.stage.origins.direct,
): Promise<Heard> {
  named += 1
  const client = `c${named}`
  const channel = `channel-${named}`
  let settle: () => void = () => undefined
  let heard = 0
  const all = new Promise<void>((resolve) => {
    settle = resolve
  })
  const line = await row.open(
    { origin, client, channels: [channel] },
    {
      ...hear,
      parcel(parcel) {
        onParcel(parcel)
        heard += 1
        if (heard === count) settle()
      },
    },
  )
  await bench.stage.ask('wait', { house: row.house, client, count: 1 })
  return {
    channel,
    client,
    line,
    get all() {
      return within(all, lateMs, () => `${heard} of ${count} came within ${lateMs} ms`, bench.signal)
    },
    async [Symbol.asyncDispose]() {
      await line.close()
      await bench.stage.ask('wait', { house: row.house, client, count: 0 })
    },
  }
}

/** The promise, or an error when it takes too long or the run is to end. */
export async function within<T>(
  promise: Promise<T>,
  ms: number,
  complaint: () => string,
  signal: AbortSignal,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  let onAbort: () => void = () => undefined
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(complaint())), ms)
        onAbort = () => reject(signal.reason as Error)
        signal.addEventListener('abort', onAbort)
        if (signal.aborted) onAbort()
      }),
    ])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

/** A cell in a sentence: `1.24 ms`; `not measured` where there is no value. */
export function figure(values: readonly number[], unit: Unit): string {
  const spread = spreadOf(values)
  return spread === undefined ? 'not measured' : formatFigure(spread.median, unit)
}
