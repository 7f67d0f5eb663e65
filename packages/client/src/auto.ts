import {
  type Choice,
  type Close,
  ConnectError,
  type ConnectOptions,
  checkOptions,
  closeCode,
  type Frame,
  mayReturn,
  show,
  type Transport,
  type TwoWayConnection,
} from '@eitherway/core'
import { checkMs } from './options.ts'

/** Where it is remembered what worked: a page's `sessionStorage` or `localStorage`, or anything like them. */
export interface AutoStorage {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/** Settings of {@link auto}. All durations in milliseconds. */
export interface AutoOptions {
  /** What there is to choose from; the first is preferred. */
  readonly transports: readonly Transport<'two-way'>[]
  /**
   * How long each try may take to bring a frame before the next transport has its turn. The last one has as long as the
   * client's `connectMs`. @defaultValue 3000
   */
  readonly proofMs?: number
  /** How long it is remembered that another than the first worked; then the first is tried again. @defaultValue 600,000: ten minutes */
  readonly rememberMs?: number
  /** Where that is kept. @defaultValue in a page its `sessionStorage`, elsewhere this value's own memory */
  readonly storage?: AutoStorage
}

/** A link that ends sooner, without a goodbye, was cut by something on the way rather than by chance. */
const shortMs = 30_000

/** So many short links in a row, and another transport has its turn. */
const maxStrikes = 2

interface Memory {
  /** Where in the list it stands. */
  readonly at: number
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly until: number
}

/**
 * A two-way transport that is whichever of several works: decided by a frame that arrived, since a link that merely opened may
 * lead nowhere. It notices as well what is cut again and again, and remembers what worked. Which one it took, and why, is
 * `choice` of the connection and the client.
 *
 * `connect` knows it by the name `auto`, with `ws` first and `sse+post` behind it.
 *
 * @throws TypeError when there is nothing to choose from, or for a setting that is none.
 */
export function auto(options: AutoOptions): Transport<'two-way'> {
  checkOptions('auto', options, { transports: true, proofMs: true, rememberMs: true, storage: true })
  const {
    transports,
    proofMs = 3000,
    rememberMs = 600_000,
    storage = pageStorage() ?? ownStorage(),
  } = options
  if (!Array.isArray(transports) || transports.length === 0) {
    throw new TypeError(`\`transports\` must be a list of two-way transports, got ${show(transports)}`)
  }
  for (const { name, direction } of transports) {
    if (direction !== 'two-way') {
      throw new TypeError(`\`transports\` must all be two-way, and ${show(name)} is ${show(direction)}`)
    }
  }
  checkMs('proofMs', proofMs)
  checkMs('rememberMs', rememberMs)
  /** Short links in a row, by URL and transport. */
  const strikes = new Map<string, number>()

  async function connect(url: URL, request: ConnectOptions): Promise<TwoWayConnection> {
    request.signal.throwIfAborted()
    const key = `eitherway:auto:${url.origin}${url.pathname}`
    const memory = recall(key)
    const failures = new Map<number, unknown>()
    const order = orderFrom(memory?.at ?? 0, transports.length)
    for (const at of order) {
      const transport = transports[at] as Transport<'two-way'>
      const isLast = failures.size === transports.length - 1
      try {
        const proven = await prove(transport, url, request, isLast ? 0 : proofMs)
        const reason = at === memory?.at ? memory.reason : reasonOf(failures)
        if (failures.size > 0) remember(key, at, reason)
        void proven.closed.then((close) => learn(key, at, proven.since, close))
        return chosen(
          proven,
          { transport: transport.name, reason: reason || 'it is preferred' },
          request.signal,
        )
      } catch (error) {
        request.signal.throwIfAborted()
        // What the server itself said holds on any transport, and what is no matter of the network's will not change.
        if (!(error instanceof ConnectError) || error instanceof Spoken) throw error
        failures.set(at, error)
        if (at === memory?.at) storage.removeItem(key)
      }
    }
    throw failed(failures)
  }

  function reasonOf(failures: ReadonlyMap<number, unknown>): string {
    return [...failures]
      .sort(([one], [other]) => one - other)
      .map(([at, error]) => `${transports[at]?.name}: ${(error as Error).message}`)
      .join('; ')
  }

  /** The last in the list is the plainest, and so knows best what there is to know: a browser's WebSocket shows no status. */
  function failed(failures: ReadonlyMap<number, unknown>): ConnectError {
    const { retryable, closeCode, status, retryAfterMs } = failures.get(transports.length - 1) as ConnectError
    return new ConnectError(`no transport works; ${reasonOf(failures)}`, {
      retryable,
      closeCode,
      retryAfterMs,
      ...(status === undefined ? {} : { status }),
    })
  }

  /** What becomes of a link says whether its transport is fit for this network. */
  function learn(key: string, at: number, since: number, { code }: Close): void {
    const mark = `${key} ${at}`
    const isShort = performance.now() - since < shortMs
    if (!isShort || (code !== closeCode.abnormal && code !== closeCode.silent)) {
      strikes.delete(mark)
      return
    }
    const count = (strikes.get(mark) ?? 0) + 1
    strikes.set(mark, count)
    if (count < maxStrikes || transports.length === 1) return
    strikes.delete(mark)
    const name = transports[at]?.name
    remember(
      key,
      (at + 1) % transports.length,
      `${name}: ${count} links in a row were lost (${code}) within ${shortMs / 1000} s`,
    )
  }

  function recall(key: string): Memory | undefined {
    const memory = parse(storage.getItem(key))
    if (memory === undefined || memory.at >= transports.length) return undefined
    if (memory.until > Date.now() && memory.until <= Date.now() + rememberMs) return memory
    storage.removeItem(key)
    return undefined
  }

  function remember(key: string, at: number, reason: string): void {
    // The preferred one needs no remembering.
    if (at === 0) storage.removeItem(key)
    else keep(key, JSON.stringify({ at, reason, until: Date.now() + rememberMs }))
  }

  function keep(key: string, memory: string): void {
    try {
      storage.setItem(key, memory)
    } catch {
      // Full, or closed to this page: the next link finds out once more.
    }
  }

  return { name: 'auto', direction: 'two-way', connect }
}

/** A refusal in the server's own words. */
class Spoken extends ConnectError {}

/** A link that has brought a frame. */
interface Proven {
  readonly connection: TwoWayConnection
  readonly frames: AsyncIterator<Frame>
  readonly first: Frame
  /** When the frame came, as `performance.now` counts. */
  readonly since: number
  readonly closed: Promise<Close>
}

/** @param ms - how long it may take; 0 for as long as it takes. */
async function prove(
  transport: Transport<'two-way'>,
  url: URL,
  request: ConnectOptions,
  ms: number,
): Promise<Proven> {
  const abort = new AbortController()
  const onAbort = () => abort.abort(request.signal.reason)
  request.signal.addEventListener('abort', onAbort)
  const late = new ConnectError(
    `nothing was heard within ${ms} ms, as behind a proxy that holds streams or upgrades back`,
    { retryable: true },
  )
  const timer = ms === 0 ? undefined : setTimeout(() => abort.abort(late), ms)
  let connection: TwoWayConnection | undefined
  try {
    connection = await transport.connect(url, { ...request, signal: abort.signal })
    const { closed } = connection
    void closed.then(() => request.signal.removeEventListener('abort', onAbort))
    const frames = connection[Symbol.asyncIterator]()
    let { done, value } = await frames.next()
    while (!done && value.type === 'heartbeat' && value.partial) ({ done, value } = await frames.next())
    if (!done) return { connection, frames, first: value, since: performance.now(), closed }
    abort.signal.throwIfAborted()
    throw refusalOf(await closed)
  } catch (error) {
    connection?.close()
    request.signal.removeEventListener('abort', onAbort)
    throw error
  } finally {
    clearTimeout(timer)
  }
}

function refusalOf({ code, reason }: Close): ConnectError {
  const message = `the link ended before it brought anything (${code}${reason && ` ${reason}`})`
  const isNetworks = code === closeCode.abnormal || code === closeCode.noCode
  return new (isNetworks ? ConnectError : Spoken)(message, { retryable: mayReturn(code), closeCode: code })
}

/** The connection, with the frame that it has brought already. */
function chosen(
  { connection, frames, first, closed }: Proven,
  choice: Choice,
  signal: AbortSignal,
): TwoWayConnection {
  let waiting: Frame | undefined = first
  return {
    direction: 'two-way',
    choice,
    closed,
    send: (message) => connection.send(message),
    close(close) {
      connection.close(close)
      waiting = undefined
    },
    [Symbol.asyncIterator]: () => ({
      async next() {
        const value = waiting
        waiting = undefined
        return value === undefined || signal.aborted ? frames.next() : { done: false, value }
      },
      async return() {
        waiting = undefined
        await frames.return?.()
        return { done: true, value: undefined }
      },
    }),
  }
}

/** Every place in a list of so many, this one first. */
function orderFrom(first: number, count: number): readonly number[] {
  const places = Array.from({ length: count }, (_, at) => at)
  return [first, ...places.filter((at) => at !== first)]
}

/** What somebody else has written there is none. */
function parse(text: string | null): Memory | undefined {
  if (text === null) return undefined
  try {
    const { at, reason, until } = JSON.parse(text)
    if (Number.isInteger(at) && at >= 0 && typeof reason === 'string' && typeof until === 'number') {
      return { at, reason, until }
    }
  } catch {
    // As if there were nothing.
  }
  return undefined
}

function pageStorage(): AutoStorage | undefined {
  try {
    return typeof document === 'undefined' ? undefined : sessionStorage
  } catch {
    // A page that may store nothing, in a frame with a sandbox for instance.
    return undefined
  }
}

function ownStorage(): AutoStorage {
  const kept = new Map<string, string>()
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  }
}
