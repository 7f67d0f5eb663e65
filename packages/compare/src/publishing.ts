import type { Broker } from '@eitherway/core'
import { createHub, type Hub } from '@eitherway/server'
import { createGauge } from './vitals.ts'

/** Goes with every reading that is published. */
export interface Stamp {
  /** Counts what is published, over both channels: a hole is a lost message. */
  readonly seq: number
  /** The server's clock when it was published: see {@link clockMs}. */
  readonly at: number
}

/** Reads the host and publishes, as a process of its own beside the server would: it goes on while that one is away. */
export interface Publishing {
  /** The number of the latest. */
  readonly seq: number
  /** Publishes anything else, of no number. What cannot cross is dropped. */
  publish(channel: string, data: unknown): void
  /** Goes on with another broker: what the one before held is gone. */
  moveTo(broker: Broker): void
  stop(): void
}

const vitalsMs = 50
const loadMs = 1000

/** Starts publishing. */
export function startPublishing(broker: Broker): Publishing {
  const gauge = createGauge()
  let hub: Hub = open(broker)
  let seq = 0
  function open(into: Broker): Hub {
    return createHub({ broker: into, heartbeatMs: 0 })
  }
  function stamp(channel: string, reading: object): void {
    seq += 1
    const stamped: Stamp = { seq, at: Number(clockMs().toFixed(3)) }
    void hub.publish(channel, { ...stamped, ...reading })
  }
  const timers = [
    setInterval(() => stamp('vitals', gauge.readVitals()), vitalsMs),
    setInterval(() => stamp('load', gauge.readLoad()), loadMs),
  ]
  return {
    get seq() {
      return seq
    },
    publish(channel, data) {
      // What is over the hub's limit is asked for by the page at the end.
      hub.publish(channel, data).catch(() => undefined)
    },
    moveTo(next) {
      void hub.close()
      hub = open(next)
    },
    stop() {
      timers.forEach(clearInterval)
      gauge.close()
      void hub.close()
    },
  }
}

/** The server's clock in milliseconds since 1970, finer than `Date.now` and never set back. */
export function clockMs(): number {
  return performance.timeOrigin + performance.now()
}
