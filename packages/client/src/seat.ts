import {
  type Close,
  ConnectError,
  checkClose,
  closeCode,
  costOf,
  createEnding,
  createQueue,
  type Frame,
  fitReason,
  isGreeting,
  type OneWayConnection,
} from '@eitherway/core'
import { onAway } from './away.ts'
import { createRecent, type Recent } from './recent.ts'
import type { BroadcastLike, LocksLike, Said } from './talk.ts'

/** What a tab asks of a shared link. */
export interface SeatRequest {
  /** Of the lock and of the channel between the tabs: the same for all that share. */
  readonly name: string
  /** The position after which the stream is to go on; `''` for from now. */
  readonly lastEventId: string
  /** Whether the server owes a greeting. */
  readonly greets: boolean
  readonly signal: AbortSignal
  readonly locks: LocksLike
  /** What the tabs speak over. The seat closes it. */
  readonly channel: BroadcastLike
  /** Hears that this page may not share, and has a link of its own. */
  onAlone(): void
  /** Makes a link of this tab's own, from a position. */
  dial(lastEventId: string, signal: AbortSignal): Promise<OneWayConnection>
}

interface OwnLink {
  readonly abort: AbortController
  connection?: OneWayConnection
}

/** How long whoever leads may take to answer. One that is late is frozen, and loses the lead: nothing is lost by a mistake. */
const answerMs = 1_000
/** How long a link may take that is made while a client already holds a connection: as long as a first one by default. */
const dialMs = 10_000
/**
 * How long the lead is kept after the link has ended, for the others to hear of it. Whoever got the lead before would make a
 * link at once, also where the server said when to come back, or never to.
 */
const lingerMs = 250
/** What may wait to be read before the link is held back. */
const highWaterBytes = 1024 * 1024
/** What may wait to be read where nothing can be held back: as with a browser's WebSocket. */
const maxUnreadBytes = 16 * 1024 * 1024

/**
 * Takes a seat at a shared link. The connection lives through a change of the leader, and ends as the link does.
 *
 * A seat that leads has a link of its own and tells the others what it brings. One that follows hears that. One whose position
 * the leader does not remember has a link of its own until both have met.
 *
 * @throws (by rejection) as the transport that is shared.
 * @internal
 */
export function takeSeat(request: SeatRequest): Promise<OneWayConnection> {
  return new Promise((resolve, reject) => sit(request, resolve, reject))
}

function sit(
  { name, lastEventId, greets, signal, locks, channel, onAlone, dial }: SeatRequest,
  resolve: (connection: OneWayConnection) => void,
  reject: (reason: unknown) => void,
): void {
  const recent = createRecent(lastEventId)
  const frames = createQueue<Frame>()
  const me = crypto.randomUUID()
  let names = 0
  const nextName = () => `${me} ${++names}`

  let isOpen = false
  /** This seat's name as the leader, while it is. */
  let term: string | undefined
  /** Whether it has a link that others may join. */
  let isReady = false
  /** The question that waits for an answer. */
  let asked: string | undefined
  /** Whom it hears. */
  let leader: string | undefined
  /** What the leader has said since it was found to be elsewhere in the stream. */
  let heard: Recent | undefined
  let own: OwnLink | undefined
  let heartbeatMs: number | undefined
  let retry: Frame | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  /** The request for the lock that counts. */
  let queued: AbortController | undefined
  let release: () => void = () => undefined

  const say = (said: Said) => channel.postMessage(said)

  function arm(ms: number, run: () => void): void {
    clearTimeout(timer)
    timer = setTimeout(run, ms)
  }

  // The lead

  function queue(steal = false): void {
    queued?.abort()
    const mine = new AbortController()
    queued = mine
    const hold = async () => {
      if (queued !== mine) return
      const held = new Promise<void>((done) => {
        release = done
      })
      lead()
      await held
    }
    locks.request(name, steal ? { steal } : { signal: mine.signal }, hold).catch((error: unknown) => {
      // Given up by this seat.
      if (queued !== mine) return
      if (!isStolen(error)) alone()
      else if (term !== undefined) giveWay()
      // The lead was here and gone before this page knew.
      else queue()
    })
  }

  function lead(): void {
    leave()
    term = nextName()
    say({ type: 'soon', leader: term })
    void open()
  }

  function ready(): void {
    if (term === undefined || isReady) return
    isReady = true
    say({ type: 'lead', leader: term })
  }

  /** Somebody took this seat for frozen, and leads now. */
  function giveWay(): void {
    if (term !== undefined) say({ type: 'left', leader: term })
    queue()
    join()
  }

  /** The page may not ask for the lead, as in a sandboxed frame. */
  function alone(): void {
    onAlone()
    leave()
    void open()
  }

  // Following

  /** Nobody is heard, and there is no link. */
  function leave(): void {
    clearTimeout(timer)
    endLink()
    term = undefined
    isReady = false
    asked = undefined
    leader = undefined
    heard = undefined
  }

  function join(): void {
    leave()
    asked = nextName()
    say({ type: 'join', ask: asked, at: recent.at })
    arm(answerMs, () => queue(true))
  }

  function answer(ask: string, at: string): void {
    if (term === undefined) return
    const missed = at === '' ? [] : recent.after(at)
    if (!isReady) say({ type: 'soon', leader: term })
    else if (missed === undefined) say({ type: 'apart', ask, leader: term, at: recent.at })
    else say({ type: 'welcome', ask, leader: term, frames: [...greeting(at || recent.at), ...missed] })
  }

  /** What a server would say first. */
  function greeting(id: string): readonly Frame[] {
    const first: Frame[] = retry === undefined ? [] : [retry]
    if (heartbeatMs !== undefined) first.push({ type: 'hello', id, heartbeatMs })
    else if (id !== '') first.push({ type: 'position', id })
    return first
  }

  function hear(said: Said): void {
    if (ending.close !== undefined) return
    switch (said.type) {
      case 'join':
        answer(said.ask, said.at)
        break
      case 'soon':
        // Asked anew after that long: somebody who still answers is not frozen.
        if (asked !== undefined) arm(dialMs, join)
        break
      case 'lead':
        if (term === undefined) join()
        break
      case 'welcome':
      case 'apart':
        if (said.ask === asked) take(said)
        break
      default:
        if (said.leader === leader) follow(said)
    }
  }

  function take(said: Extract<Said, { type: 'welcome' | 'apart' }>): void {
    asked = undefined
    clearTimeout(timer)
    leader = said.leader
    if (said.type === 'apart') {
      heard = createRecent(said.at)
      void open()
      return
    }
    opened()
    for (const frame of said.frames) pass(frame)
  }

  function follow(said: Extract<Said, { type: 'frame' | 'end' | 'left' }>): void {
    if (heard !== undefined) {
      // Whatever becomes of the leader, a link of its own goes on.
      if (said.type !== 'frame') return
      heard.add(said.frame)
      meet()
    } else if (said.type === 'frame') pass(said.frame)
    else if (said.type === 'end') finish(said.close)
    else join()
  }

  /** The leader and this seat's own link have brought the same: from here on one of them is enough. */
  function meet(): void {
    if (heard?.after(recent.at) !== undefined) join()
  }

  // A link of its own

  async function open(): Promise<void> {
    const link: OwnLink = { abort: new AbortController() }
    own = link
    // A first one has as long as the client gives it.
    const late = isOpen && setTimeout(() => link.abort.abort(lateError()), dialMs)
    let connection: OneWayConnection
    try {
      connection = await dial(recent.at, link.abort.signal)
    } catch (error) {
      if (own === link) fail(error)
      return
    } finally {
      if (late) clearTimeout(late)
    }
    if (own !== link) {
      connection.close()
      return
    }
    link.connection = connection
    opened()
    if (!greets) ready()
    await pump(link, connection)
    if (own === link) end(await connection.closed)
  }

  async function pump(link: OwnLink, connection: OneWayConnection): Promise<void> {
    // By hand: leaving a `for await` would wait for the iteration's own end.
    const iterator = connection[Symbol.asyncIterator]()
    for (;;) {
      const { done, value } = await iterator.next()
      if (own !== link || done) return
      pass(value)
      if (isGreeting(value)) ready()
      meet()
      if (frames.bytes > highWaterBytes) await frames.below(highWaterBytes)
    }
  }

  function endLink(): void {
    const link = own
    own = undefined
    link?.connection?.close()
    link?.abort.abort()
  }

  // The connection

  function pass(frame: Frame): void {
    if (ending.close !== undefined) return
    if (frame.type === 'hello') heartbeatMs = frame.heartbeatMs
    if (frame.type === 'retry') retry = frame
    recent.add(frame)
    if (term !== undefined && isReady) say({ type: 'frame', leader: term, frame })
    if (frames.push(frame, frame.type === 'message' ? costOf(frame.message) : 64) <= maxUnreadBytes) return
    drop({ code: closeCode.slowReader, reason: `more than ${maxUnreadBytes} bytes wait to be read` })
  }

  function opened(): void {
    if (isOpen) return
    isOpen = true
    resolve({
      direction: 'one-way',
      closed: ending.closed,
      close(close = { code: closeCode.normal, reason: '' }) {
        checkClose(close)
        drop(close)
      },
      [Symbol.asyncIterator]: () => frames[Symbol.asyncIterator](),
    })
  }

  const ending = createEnding(() => {
    signal.removeEventListener('abort', onAbort)
    stopAway()
    if (term !== undefined) say({ type: 'left', leader: term })
    leave()
    queued?.abort()
    queued = undefined
    release()
    channel.close()
    frames.end()
  })
  const finish = (close: Close) => ending.finish(close)

  /** The link that this seat has has ended, for all who hear of it. */
  function end(close: Close): void {
    if (term !== undefined) {
      say({ type: 'end', leader: term, close })
      term = undefined
      const done = release
      release = () => undefined
      setTimeout(done, lingerMs)
    }
    finish(close)
  }

  /** Ends from this side: what has arrived already is not read any more. */
  function drop(close: Close): void {
    finish(close)
    frames.drop()
  }

  function fail(error: unknown): void {
    finish(closeOf(error))
    if (!isOpen) reject(error)
  }

  function onAbort(): void {
    drop({ code: closeCode.normal, reason: 'aborted' })
    if (!isOpen) reject(signal.reason)
  }
  signal.addEventListener('abort', onAbort)

  // Whoever sleeps must not lead, nor be the next to.
  const stopAway = onAway(() =>
    fail(new ConnectError('the page was put away', { retryable: true, closeCode: closeCode.goingAway })),
  )

  channel.addEventListener('message', ({ data }) => hear(data as Said))
  queue()
  join()
}

const isStolen = (error: unknown) => error instanceof Error && error.name === 'AbortError'

const lateError = () => new ConnectError(`no link was ready within ${dialMs} ms`, { retryable: true })

function closeOf(error: unknown): Close {
  const code = error instanceof ConnectError ? error.closeCode : closeCode.protocolError
  return { code, reason: fitReason(error instanceof Error ? error.message : String(error)) }
}
