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
  /**
   * Starts another like it, without HTTP/2, so that nothing that was measured before weighs on what comes. A page cannot.
   */
  fresh?(changes?: { readonly heartbeatMs?: number }): Promise<OwnStage>
}

/** A stage that ends when it is closed. */
export interface OwnStage extends Stage {
  close(): Promise<void>
}

/** `http://host:port`, without a path. */
export interface Origins {
  /** The server itself. */
  readonly direct: string
  /** The same server through the relay, where bytes are counted and faults are made. */
  readonly relay: string
  /** The same server by HTTP/2, `https:`, where the stage was asked for it. Its certificate is trusted by nobody. */
  readonly secure?: string
}

/** What a stage can do. */
export interface Commands {
  /** Publishes in an open loop: each parcel leaves when it was to leave, or late, and says when it was to. */
  readonly publish: { readonly input: Publishing; readonly output: Published }
  /** Tells that all have heard a channel up to this parcel: where it is published within a `window`, it goes on. */
  readonly taken: { readonly input: Taken; readonly output: object }
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
  readonly cut: {
    readonly input: { readonly client: string }
    /** How many, and when. */
    readonly output: { readonly cut: number; readonly at: number }
  }
  /** Ends both houses, waits, and opens them anew at the same port. */
  readonly restart: { readonly input: Restart; readonly output: Restarted }
  /** Changes what the relay does with every link, those of now and those to come, until told otherwise. */
  readonly relay: { readonly input: Faults; readonly output: { readonly at: number } }
  /** What went through the relay since the last `reset`. */
  readonly count: { readonly input: { readonly reset?: boolean }; readonly output: Counts }
  /** Plants what a broken broker would do, in both houses, so that a test can see whether it is found. */
  readonly plant: { readonly input: Plant; readonly output: object }
  /**
   * What waits in the server's memory for the client at this port of its own, in bytes: now, or 0 once its socket is gone,
   * and the most since it was first asked.
   */
  readonly owed: {
    readonly input: { readonly port: number }
    readonly output: { readonly bytes: number; readonly most: number }
  }
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
  /** Waits for a client of this name, and begins in the moment when it is there. */
  readonly whenThere?: string
  /** How many may be under way of which `taken` has not told. @defaultValue any number */
  readonly window?: number
  /**
   * Whether the last stretch before each moment is spent awake: timers alone are late by up to a millisecond, but cost no
   * processor time. @defaultValue true
   */
  readonly punctual?: boolean
}

export interface Taken {
  readonly channel: string
  readonly seq: number
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

/** The stage's clock. */
export interface Restarted {
  /** When the sockets ended. */
  readonly downAt: number
  /** When new links were taken again. */
  readonly upAt: number
}

/** What is left out is as it should be. */
export interface Faults {
  /** How much later everything arrives, each way, in milliseconds. */
  readonly delayMs?: number
  /**
   * Swallows every byte, both ways, and tells nobody: the links are half-open. `present`: those of now alone, until the
   * faults are changed again and they end; new ones are fine, as after a router forgot the old.
   */
  readonly stalled?: boolean | 'present'
  /** Keeps every byte back, both ways, and loses none: what a server looks like that hangs. */
  readonly held?: boolean
  /** Refuses new links. */
  readonly shut?: boolean
  /** How many bytes pass in a second, each way and link. */
  readonly bytesPerSecond?: number
  /** Ends each link once so many bytes have come from the server. What went over the limit still arrives. */
  readonly cutAfterBytes?: number
}

export interface Counts {
  readonly links: number
  /** From clients to the server. */
  readonly upBytes: number
  /** From the server to clients. */
  readonly downBytes: number
}

export interface Plant {
  /** Leaves out each so-manieth parcel of a channel. */
  readonly loseEvery?: number
  /** Brings each so-manieth parcel of a channel twice. */
  readonly doubleEvery?: number
}
