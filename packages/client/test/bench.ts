import { linked, type Message, type ServerConnection, type Transport } from '@eitherway/core'

/** A server in memory that accepts what connects, and gives its end of each link. */
export interface Bench<T extends Transport = Transport> {
  readonly transport: T
  /** The server's end of the next link. */
  accepted(): Promise<ServerConnection>
  /** How many links there have been. */
  readonly links: number
}

export function createBench<D extends 'one-way' | 'two-way'>(direction: D): Bench<Transport<D>> {
  const arrived: ServerConnection[] = []
  const waiting: ((connection: ServerConnection) => void)[] = []
  let links = 0
  const transport = linked(
    (connection) => {
      links += 1
      const next = waiting.shift()
      if (next === undefined) arrived.push(connection)
      else next(connection)
    },
    { direction },
  )
  return {
    transport,
    async accepted() {
      return arrived.shift() ?? new Promise((resolve) => waiting.push(resolve))
    },
    get links() {
      return links
    },
  }
}

/** Writes a message of the hub's kind. */
export function write(connection: ServerConnection, event: string, data: unknown, id = ''): void {
  const message: Message = { id, event, data: data instanceof Uint8Array ? data : JSON.stringify(data) }
  connection.write(connection.encoder.encode({ type: 'message', message }))
}

/** A promise of the next call, and the function to call. */
export function nextCall<T>(): { readonly called: Promise<T>; readonly call: (value: T) => void } {
  let call: (value: T) => void = () => {}
  const called = new Promise<T>((resolve) => {
    call = resolve
  })
  return { called, call }
}
