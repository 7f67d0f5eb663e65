import type { Meter } from '../lab.ts'

/** What a panel's messages cost on the wire. */
export interface Wire {
  add(at: number, meter: Meter): void
  /** Bytes of the current connection so far. */
  readonly bytes: number | undefined
  /** Average over the last seconds of the current connection, so its handshake and what it replayed at first fade out. */
  readonly bytesPerMessage: number | undefined
}

const spanMs = 10_000

/** Makes a wire that knows nothing yet. */
export function createWire(): Wire {
  let readings: { at: number; meter: Meter }[] = []
  return {
    add(at, meter) {
      readings = readings.filter(
        (reading) => at - reading.at <= spanMs && reading.meter.connection === meter.connection,
      )
      readings.push({ at, meter })
    },
    get bytes() {
      return readings.at(-1)?.meter.bytes
    },
    get bytesPerMessage() {
      const first = readings[0]?.meter
      const last = readings.at(-1)?.meter
      if (first === undefined || last === undefined || last.seq <= first.seq) return undefined
      return (last.bytes - first.bytes) / (last.seq - first.seq)
    },
  }
}
