import type { Close } from './close.ts'
import type { Arrival, Owner, Remote, Waiting } from './transport.ts'

/**
 * What a server's connections have in common, whatever their wire: the request that they came with, and one end. A server has
 * thousands that are silent, so nothing is made before somebody asks for it.
 */
export abstract class AcceptedLink implements Arrival {
  readonly #arrival: Arrival
  #close: Close | undefined
  #owner: Owner | undefined
  #closed: Promise<Close> | undefined
  #settle: ((close: Close) => void) | undefined
  #waiting: (() => void)[] | undefined

  constructor(arrival: Arrival) {
    this.#arrival = arrival
  }

  get url(): URL {
    return this.#arrival.url
  }
  get headers(): Headers {
    return this.#arrival.headers
  }
  get token(): string | undefined {
    return this.#arrival.token
  }
  get remote(): Remote | undefined {
    return this.#arrival.remote
  }
  get channels(): readonly string[] {
    return this.#arrival.channels
  }
  get lastEventId(): string {
    return this.#arrival.lastEventId
  }

  get closed(): Promise<Close> {
    this.#closed ??= new Promise((resolve) => {
      if (this.#close === undefined) this.#settle = resolve
      else resolve(this.#close)
    })
    return this.#closed
  }

  attach(owner: Owner): void {
    this.#owner = owner
    if (this.#close !== undefined) tellEnd(owner, this.#close)
  }

  /** Why it ended, once it has. */
  protected get ended(): Close | undefined {
    return this.#close
  }

  /** Ends it. A second call changes nothing. */
  protected finish(close: Close): void {
    if (this.#close !== undefined) return
    this.#close = close
    this.release()
    // The owner first: whoever awaits `closed` finds it gone from there.
    if (this.#owner !== undefined) tellEnd(this.#owner, close)
    this.#settle?.(close)
  }

  /** @param listen - for room, which is `release`. Called where nobody waits for it yet. */
  protected room(listen: () => void): Promise<void> {
    if (this.#waiting === undefined) listen()
    return new Promise((resolve) => {
      this.#waiting ??= []
      this.#waiting.push(resolve)
    })
  }

  /** Lets go of whoever waits for room. */
  protected release(): void {
    const released = this.#waiting ?? []
    this.#waiting = undefined
    for (const resolve of released) resolve()
  }

  protected tellArrived(waiting: Waiting): void {
    this.#owner?.arrived(waiting)
  }
}

/** As a promise would: whoever closes it is in the middle of something. */
function tellEnd(owner: Owner, close: Close): void {
  queueMicrotask(() => owner.ended(close))
}
