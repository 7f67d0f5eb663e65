import {
  addressOf,
  begin,
  byteLength,
  type Close,
  ConnectError,
  type Connection,
  checkClose,
  checkName,
  clampRetryMs,
  closeCode,
  createMessage,
  createQueue,
  type Effect,
  type FormatOption,
  fitReason,
  formatOf,
  type Gap,
  type Input,
  type LifecycleOptions,
  type Limits,
  type Message,
  type Queue,
  type State,
  show,
  step,
} from '@eitherway/core'
import type { Client, Handler, Listener, Received, TwoWayClient } from './client.ts'
import { createDeadline } from './deadline.ts'
import { createOutbox } from './outbox.ts'
import { type DirectionOf, type TransportOption, transportOf } from './transports.ts'

/** Settings of {@link connect}. All durations in milliseconds. */
export interface ClientOptions<T extends TransportOption = TransportOption> extends Limits {
  /** The flag: `'sse'` (one-way), `'ws'` (two-way), or a transport of your own. */
  readonly transport: T
  /** The hub's channels to follow. */
  readonly channels?: readonly string[]
  /** How the application's values become text or bytes. The server names the same one. @defaultValue `'json'` */
  readonly format?: FormatOption
  /** The position after which the stream is to go on, as an earlier client had it. @defaultValue `''`: from now */
  readonly lastEventId?: string
  /** Closes the client when it aborts. */
  readonly signal?: AbortSignal
  /** Whether to come back after a link was lost. @defaultValue true */
  readonly reconnect?: boolean
  /** How long a link may take to open. @defaultValue 10,000 */
  readonly connectMs?: number
  /**
   * Longest silence before the link is taken for dead; 0 for any.
   *
   * @defaultValue what the server announced as its heartbeat, and ten seconds of grace
   */
  readonly silenceMs?: number
  /** What may wait in one iteration, or to be sent, in bytes. @defaultValue 1 MiB */
  readonly maxQueuedBytes?: number
  /**
   * Hears what went wrong without ending the client: a handler that threw, data that is not of the format.
   *
   * @defaultValue `console.error`
   */
  readonly onError?: (error: unknown) => void
}

/**
 * Connects to a stream, and stays connected until it is closed: a lost link is made again, and the stream goes on after
 * the last message that was delivered.
 *
 * @param url - `http(s)` or `ws(s)`, either way; in a page it may be relative.
 * @returns the client at once, in state `connecting`.
 * @throws TypeError when the URL, the transport or a setting is none.
 *
 * @example
 * ```ts
 * const client = connect('/live', { transport: 'sse', channels: ['prices'] })
 * client.on('prices', (prices) => console.log(prices))
 * ```
 */
export function connect<const T extends TransportOption>(
  url: string | URL,
  options: ClientOptions<T>,
): Client<DirectionOf<T>> {
  return createClient(url, options) as Client<DirectionOf<T>>
}

function createClient(given: string | URL, options: ClientOptions): Listener {
  const url = urlOf(given)
  const transport = transportOf(options?.transport)
  const { channels = [], lastEventId = '', maxQueuedBytes = 1024 * 1024, onError = report } = options
  const format = formatOf(options.format)
  for (const channel of channels) checkName('channel', channel)
  const limits: Limits =
    options.maxMessageBytes === undefined ? {} : { maxMessageBytes: options.maxMessageBytes }
  const settings: LifecycleOptions = {
    reconnect: options.reconnect ?? true,
    connectMs: checkMs('connectMs', options.connectMs ?? 10_000),
    silenceMs: options.silenceMs === undefined ? undefined : checkMs('silenceMs', options.silenceMs),
    baseMs: 500,
    capMs: 30_000,
  }

  const first = begin(lastEventId, settings)
  let life = first.next
  const handlers = new Map<string, Set<Handler>>()
  const onState = new Set<(state: State, reason: Close | undefined) => void>()
  const onGap = new Set<(gap: Gap) => void>()
  const iterations = new Set<Queue<Received>>()
  const outbox = createOutbox(maxQueuedBytes)
  const deadline = createDeadline(() => feed({ type: 'deadline', random: Math.random() }))
  let link: AbortController | undefined
  let connection: Connection | undefined
  let settle: (close: Close) => void
  const closed = new Promise<Close>((resolve) => {
    settle = resolve
  })

  function feed(input: Input): void {
    const before = life
    const { next, effects } = step(life, input, settings)
    life = next
    for (const effect of effects) perform(effect)
    if (next.state === before.state) return
    for (const handler of onState) guard(() => handler(next.state, next.close))
    if (next.state === 'closed') finish(next.close ?? { code: closeCode.normal, reason: '' })
  }

  function perform(effect: Effect): void {
    switch (effect.type) {
      case 'connect':
        link = new AbortController()
        void run(link)
        break
      case 'disconnect':
        drop(effect.close)
        break
      case 'deadline':
        deadline.set(effect.ms)
        break
      case 'deliver':
        deliver(effect.message)
        break
      case 'gap':
        for (const handler of onGap) guard(() => handler(effect.gap))
    }
  }

  /** One link, from the first try to its end. Once it is no longer the current one, nothing that it brings counts. */
  async function run(current: AbortController): Promise<void> {
    const isCurrent = () => link === current
    let opened: Connection
    try {
      const { connect } = await transport.load()
      opened = await connect(url, { lastEventId: life.lastEventId, channels, signal: current.signal, limits })
    } catch (error) {
      if (!isCurrent()) return
      drop()
      feed({ type: 'lost', random: Math.random(), ...lossOf(error) })
      return
    }
    if (!isCurrent()) {
      opened.close()
      return
    }
    connection = opened
    feed({ type: 'opened' })
    if (opened.direction === 'two-way') outbox.attach(opened)
    try {
      for await (const frame of opened) {
        if (!isCurrent()) return
        feed({ type: 'frame', frame })
        // A handler may have closed the client, or the frame the link.
        if (!isCurrent()) return
      }
    } catch (error) {
      if (isCurrent()) onError(error)
      opened.close()
    }
    const close = await opened.closed
    if (!isCurrent()) return
    drop()
    feed({ type: 'lost', close, random: Math.random() })
  }

  function drop(close?: Close): void {
    const current = link
    link = undefined
    outbox.detach()
    connection?.close(close)
    connection = undefined
    current?.abort()
  }

  function deliver({ id, event, data }: Message): void {
    const readers = handlers.get(event)
    if (readers === undefined && iterations.size === 0) return
    let received: Received
    try {
      received = { id, event, data: format.decode(data) }
    } catch (error) {
      onError(
        new Error(`a message of event ${show(event)} was left out: ${(error as Error).message}`, {
          cause: error,
        }),
      )
      return
    }
    const size = iterations.size === 0 ? 0 : byteLength(data)
    for (const iteration of iterations) {
      if (iteration.push(received, size) <= maxQueuedBytes) continue
      iterations.delete(iteration)
      iteration.end(
        new Error(
          `an iteration was left behind: more than ${maxQueuedBytes} bytes wait to be read; read faster or raise \`maxQueuedBytes\``,
        ),
      )
    }
    if (readers === undefined) return
    for (const handler of [...readers]) {
      // An earlier handler may have closed the client or taken this one off.
      if (life.state !== 'closed' && readers.has(handler)) guard(() => handler(received.data, received))
    }
  }

  function guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      onError(error)
    }
  }

  function finish(close: Close): void {
    options.signal?.removeEventListener('abort', onAbort)
    outbox.end(close)
    for (const iteration of iterations) iteration.end()
    settle(close)
  }

  const onAbort = () => feed({ type: 'close', close: { code: closeCode.normal, reason: 'aborted' } })

  const client: Listener = {
    transport: transport.name,
    get state() {
      return life.state
    },
    get lastEventId() {
      return life.lastEventId
    },
    closed,
    on<T>(event: string, handler: Handler<T>) {
      const readers = handlers.get(event) ?? new Set()
      handlers.set(event, readers.add(handler as Handler))
      return () => {
        readers.delete(handler as Handler)
        if (readers.size === 0 && handlers.get(event) === readers) handlers.delete(event)
      }
    },
    onState: (handler) => add(onState, handler),
    onGap: (handler) => add(onGap, handler),
    close(close = { code: closeCode.normal, reason: '' }) {
      checkClose(close)
      feed({ type: 'close', close })
      return closed
    },
    [Symbol.asyncIterator]() {
      const iteration = createQueue<Received>()
      if (life.state === 'closed') iteration.end()
      else iterations.add(iteration)
      return leaving(iteration, () => iterations.delete(iteration))
    },
    async [Symbol.asyncDispose]() {
      await client.close()
    },
  }
  Object.assign(client, { direction: transport.direction })
  if (transport.direction === 'two-way') {
    const send: TwoWayClient['send'] = async (event, data, { signal } = {}) => {
      await outbox.send(createMessage(event, format.encode(data)), signal)
    }
    Object.assign(client, { send })
  }

  options.signal?.addEventListener('abort', onAbort)
  if (options.signal?.aborted) onAbort()
  else for (const effect of first.effects) perform(effect)
  return client
}

/** Why no link came about, as the lifecycle has it. */
function lossOf(error: unknown): { close: Close; retryAfterMs?: number | undefined } {
  const reason = fitReason(error instanceof Error ? error.message : String(error))
  if (error instanceof ConnectError) {
    const { closeCode: code, retryAfterMs } = error
    return {
      close: { code, reason },
      retryAfterMs: retryAfterMs === undefined ? undefined : clampRetryMs(retryAfterMs),
    }
  }
  // Not the network's and not the server's: to try it again would bring the same.
  return { close: { code: closeCode.protocolError, reason } }
}

/** A page's URLs may be relative to it. */
function urlOf(given: string | URL): URL {
  const base = typeof document === 'undefined' ? undefined : document.baseURI
  let url: URL
  try {
    url = new URL(given, base)
  } catch (cause) {
    const advice =
      base === undefined ? '; outside a page it must be absolute, e.g. "http://localhost:8080/live"' : ''
    throw new TypeError(`${show(String(given))} is no URL${advice}`, { cause })
  }
  // Speaks up now about a scheme that no transport has, and not at each try.
  addressOf(url, 'http', { channels: [] })
  return url
}

function checkMs(name: string, ms: number): number {
  if (typeof ms === 'number' && ms >= 0 && ms <= 2 ** 31 - 1) return ms
  throw new TypeError(
    `\`${name}\` must be a number of milliseconds from 0 to ${2 ** 31 - 1}, got ${String(ms)}`,
  )
}

function add<T>(set: Set<T>, item: T): () => void {
  set.add(item)
  return () => set.delete(item)
}

/** An iteration that says when it is left. */
async function* leaving<T>(items: AsyncIterable<T>, onLeave: () => void): AsyncGenerator<T, void, undefined> {
  try {
    yield* items
  } finally {
    onLeave()
  }
}

function report(error: unknown): void {
  // biome-ignore lint/suspicious/noConsole: where nobody asked to hear of errors, silence would hide them
  console.error(error)
}
