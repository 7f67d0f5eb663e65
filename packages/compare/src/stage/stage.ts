import type { House } from '../contender.ts'
import type { Kind } from '../parcel.ts'

/** The server under measurement, as the clients see it: in a process of its own, driven by commands. */
export interface Stage {
  /** Where clients connect. */
  readonly origins: Origins
  /**
   * Asks the stage to do something.
   *
   * @throws Error (by rejection) with the stage's own words.
   */
  ask<C extends keyof Commands>(command: C, input: Commands[C]['input']): Promise<Commands[C]['output']>
  /** The stage's clock, in milliseconds, as well as it is known here. */
  now(): number
  /** By how much `now` may be wrong, in milliseconds; 0 on one machine. */
  readonly clockErrorMs: number
}

/** `http://host:port`, without a path. */
export interface Origins {
  /** The server itself. */
  readonly direct: string
  /** The same server through the relay, where bytes are counted and faults are made. */
  readonly relay: string
}

/** What a stage can do. */
export interface Commands {
  /** Publishes in an open loop: each parcel leaves when it was to leave, or late, and says when it was to. */
  readonly publish: { readonly input: Publishing; readonly output: Published }
  /** Fulfils once exactly so many are connected to this house (and of this client, where one is named). */
  readonly wait: {
    readonly input: {
      readonly house: House
      readonly count: number
      readonly client?: string
      readonly withinMs?: number
    }
    readonly output: { readonly connected: number }
  }
  /** What the process has cost so far. */
  readonly cost: { readonly input: { readonly collect?: boolean }; readonly output: Cost }
  /** Destroys the sockets of a client, without a word. */
  readonly cut: { readonly input: { readonly client: string }; readonly output: { readonly cut: number } }
  /** Ends both houses, waits, and opens them anew at the same port. */
  readonly restart: { readonly input: Restart; readonly output: object }
  /** Changes what the relay does with every link, those of now and those to come, until told otherwise. */
  readonly relay: { readonly input: Faults; readonly output: object }
  /** What went through the relay since the last `reset`. */
  readonly count: { readonly input: { readonly reset?: boolean }; readonly output: Counts }
  /** Plants what a broken broker would do, in both houses, so that a test can see whether it is found. */
  readonly plant: { readonly input: Plant; readonly output: object }
  readonly clock: { readonly input: object; readonly output: { readonly now: number } }
}

export interface Publishing {
  readonly house: House
  readonly channel: string
  readonly count: number
  /** Of each parcel's data. */
  readonly bytes: number
  readonly kind: Kind
  /** From one to the next, in milliseconds; 0: all at once, as fast as `publish` lets it. */
  readonly everyMs: number
  /** How many leave at each of these moments. @defaultValue 1 */
  readonly burst?: number
  /** The number of the first. @defaultValue 1 */
  readonly from?: number
}

export interface Published {
  /** The stage's clock. */
  readonly firstAt: number
  readonly lastAt: number
  /** The largest delay between the moment when a parcel was to leave and when it left, in milliseconds. */
  readonly lateMs: number
  /** Processor time of the stage meanwhile, in milliseconds. */
  readonly cpuMs: number
}

export interface Cost {
  /** Processor time of the stage since it began, user and system, in milliseconds. */
  readonly cpuMs: number
  /** As the operating system has it. */
  readonly rssBytes: number
  readonly heapBytes: number
  /** Buffers outside the heap. */
  readonly externalBytes: number
  readonly pid: number
}

export interface Restart {
  readonly downMs: number
  /** Whether the hub's history outlives it. The bare house has none. */
  readonly history: 'kept' | 'lost'
  /** `goodbye`: peers are told, as in a deployment; `kill`: their sockets just end. */
  readonly how: 'goodbye' | 'kill'
}

/** What is left out is as it should be. */
export interface Faults {
  /** How much later everything arrives, each way, in milliseconds. */
  readonly delayMs?: number
  /** Swallows every byte, both ways, and tells nobody: the links are half-open. */
  readonly stalled?: boolean
  /** Refuses new links. */
  readonly shut?: boolean
  /** How many bytes pass in a second, each way and link. */
  readonly bytesPerSecond?: number
  /** Ends a link with each so-manieth chunk from the server. */
  readonly cutEvery?: number
}

export interface Counts {
  readonly links: number
  /** From clients to the server. */
  readonly upBytes: number
  /** From the server to clients. */
  readonly downBytes: number
}

export interface Plant {
  /** Leaves out each so-manieth parcel. */
  readonly loseEvery?: number
  /** Brings each so-manieth parcel twice. */
  readonly doubleEvery?: number
}
