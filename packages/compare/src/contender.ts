import type { Parcel } from './parcel.ts'

/** One of those that are compared: a transport of ours, or a control row without our code. */
export interface Contender {
  /** `sse`, `ws`, `sse-bare`, `ws-bare`, … */
  readonly name: string
  readonly title: string
  readonly transport: 'sse' | 'ws'
  /** Whether it is without our code, so that the price of ours can be seen. */
  readonly control: boolean
  /** Which of the stage's servers it speaks to. */
  readonly house: House
  /** Fulfils when it is open: from here on it hears what is published. */
  open(where: Where, hear: Hear): Promise<Line>
}

/** The stage has two servers in one process: a hub of ours, and one of bare `http` and `ws`. */
export type House = 'ours' | 'bare'

/** Where to connect. */
export interface Where {
  /** `http://127.0.0.1:8081`: directly, or through the relay. */
  readonly origin: string
  /** By which the stage knows this one. */
  readonly client: string
  readonly channels: readonly string[]
  /** The longest silence before a link passes for dead, where that can be said. @defaultValue as the server announced it */
  readonly silenceMs?: number
}

/** What is heard. */
export interface Hear {
  parcel?(parcel: Parcel): void
  /** What came back of what was said. */
  echo?(data: string): void
  /** `away`: the link was lost, and it comes back by itself; `closed`: it does not. */
  state?(state: 'open' | 'away' | 'closed'): void
  gap?(): void
}

/** One that is open. */
export interface Line {
  /** Brings text to the server by whatever way the transport has: SSE itself has none, so there it is a POST. */
  say(text: string): Promise<void>
  close(): Promise<void>
}
