import type { Close } from './close.ts'
import type { Encoder, Frame, Limits } from './frame.ts'
import type { Message } from './message.ts'
import type { NodeRequest } from './request.ts'

/** `one-way`: the server pushes. `two-way`: the client may `send` as well. */
export type Direction = 'one-way' | 'two-way'

/** What lives once and ends once. */
export interface Closable {
  /** Fulfils with the reason once the link has ended. Never rejects: an end is a value, not an error. */
  readonly closed: Promise<Close>
  /**
   * Ends the link. After it returns no further frame comes out of the iteration. A second call changes nothing.
   *
   * @param close - told to the other side where the wire can. @defaultValue `{ code: 1000, reason: '' }`
   */
  close(close?: Close): void
}

/** Which transport a connection was made over where there were several, and why. For people and logs. */
export interface Choice {
  /** Its name, e.g. `sse+post`. */
  readonly transport: string
  readonly reason: string
}

/**
 * One link that only listens. It lives once: when it ended, the client makes another.
 *
 * Iterate it once. Nothing arrives before the iteration begins, and where the wire allows, reading slowly holds the
 * sender back. The iteration ends when the link does; leaving it early does not close the link.
 */
export interface OneWayConnection extends Closable, AsyncIterable<Frame> {
  readonly direction: 'one-way'
  /** Set by a transport that chooses among others. */
  readonly choice?: Choice
}

/** One link in both directions. */
export interface TwoWayConnection extends Closable, AsyncIterable<Frame> {
  readonly direction: 'two-way'
  /** Set by a transport that chooses among others. */
  readonly choice?: Choice
  /**
   * Sends one message. Fulfils when it is buffered and there is room for another: awaiting it is the backpressure.
   *
   * @throws (by rejection) ConnectError when the link had ended before it took the message, which was therefore not sent;
   * TypeError when this wire cannot carry it.
   */
  send(message: Message): Promise<void>
}

/** One link. `send` is absent on a one-way connection, not throwing. */
export type Connection<D extends Direction = Direction> = D extends 'two-way'
  ? TwoWayConnection
  : OneWayConnection

/** What a client tells a transport about the link it wants. */
export interface ConnectOptions {
  /** The position after which the stream is to go on; `''` for from now. */
  readonly lastEventId: string
  /** The channels to follow. They go to the server in the query, as `channel`, once for each. */
  readonly channels: readonly string[]
  /** Ends the wait for the link, or the link. */
  readonly signal: AbortSignal
  readonly limits?: Limits
  /**
   * Says who asks. The transport carries it where its wire can, never in the URL: `Authorization: Bearer` over HTTP.
   *
   * One that cannot be carried, see `checkToken`, is a TypeError (by rejection).
   */
  readonly token?: string | undefined
}

/** The client's side of a transport: a value without state, so that any number of clients may share it. */
export interface Transport<D extends Direction = Direction> {
  /** For logs and people, e.g. `sse`. */
  readonly name: string
  readonly direction: D
  /**
   * Opens one link; never retries. The URL may be `http(s)` or `ws(s)`: each transport sets the scheme it needs.
   *
   * @throws ConnectError (by rejection) when the network or the server refuses; the signal's reason when aborted.
   */
  connect(url: URL, options: ConnectOptions): Promise<Connection<D>>
}

/** An end of a socket. */
export interface Remote {
  readonly address: string
  readonly port: number
}

/** A request for a link, before it is answered. */
export interface Arrival {
  /** The request's URL as it was asked for. */
  readonly url: URL
  /** Its headers, without the subprotocol that carries a token; `Authorization` and `Cookie` are among them. */
  readonly headers: Headers
  /**
   * The bearer token that the request showed, by its `Authorization` or, where a WebSocket has no headers, beside its
   * subprotocol. `undefined` where it showed none that is legible. What it is worth is the application's to say.
   */
  readonly token: string | undefined
  /**
   * The other end of the socket, where there is one: the client, or the proxy before it. Ask while the link lives: what was
   * never asked for cannot be told any more once it has ended.
   */
  readonly remote: Remote | undefined
  /** The channels that it asks to follow, each once. Only asked for: whether it may is the hub's to decide. */
  readonly channels: readonly string[]
  /** The position that the client named, or `''`. Never trusted: it opens nothing. */
  readonly lastEventId: string
}

/** Why a request gets no link. */
export interface Refusal {
  /** The HTTP status, 400 to 599. A WebSocket of ours learns the close code that says the same: see `closeCodeOfStatus`. */
  readonly status: number
  /** For people and logs. It is sent to the client. */
  readonly reason: string
  /** How long the client is to wait before it tries again, in milliseconds. */
  readonly retryAfterMs?: number
}

/**
 * Decides on a request as Node has it, before anything is made of it: by what a browser itself says of where the request comes
 * from, and where to. The same for every entrance.
 */
export type Gate = (request: NodeRequest) => Refusal | undefined

/**
 * Decides on a request before any byte of a stream: a refusal, or who takes the connection. A hub's `admit` is one. It never
 * throws and never rejects.
 */
export type Admit = (arrival: Arrival) => Admission | Promise<Admission>

/** What became of a request. */
export type Admission = Refusal | Accept

/** Messages that have arrived, in order. */
export interface Waiting {
  /** Takes the first; `undefined` where none is left. */
  shift(): Message | undefined
}

/** Whoever took a connection, as far as it is told by plain calls. */
export interface Owner {
  /** The connection has ended. Told once, and never within the call that ended it. */
  ended(close: Close): void
  /** Messages may wait. Told when it is attached, where some have arrived already, and for each that arrives. */
  arrived(waiting: Waiting): void
}

/** What every accepted connection has, whatever its direction. */
export interface Accepted extends Arrival, Closable {
  /** Writes this connection's frames; connections of one kind share one encoder. */
  readonly encoder: Encoder
  /** Bytes that left for this connection so far, headers and framing included where the platform tells. */
  readonly bytesWritten: number
  /** Bytes that were handed over and still wait to be read. */
  readonly queuedBytes: number
  /**
   * Hands over what the encoder encoded or joined, and returns the bytes still queued. Never throws, and after the end does
   * nothing: the hub owns the limit, so that one limit serves every transport.
   *
   * Connections of one kind that get the same are handed the same chunk, so what the wire makes of it (it may compress) can
   * be kept with it and made once.
   */
  write(chunk: string | Uint8Array): number
  /** Fulfils when what was written has left, or the connection has ended: whoever waits for it writes no faster than the reader reads. */
  drained(): Promise<void>
  /**
   * Has its owner told what `closed` and `messages` say as well, which then nobody needs to wait for. A transport may leave it
   * out; it is for those whose silent connections are to keep next to nothing. Called once at most; nobody iterates over the
   * messages then.
   */
  attach?(owner: Owner): void
}

/** The server's side: what a transport's request handler gives to the hub. Write-only, plus messages where two-way. */
export type ServerConnection = Accepted &
  (
    | { readonly direction: 'one-way' }
    | {
        readonly direction: 'two-way'
        /** What the client sent, in order. Iterate it once; reading slowly holds the client back. */
        readonly messages: AsyncIterable<Message>
      }
  )

/** Takes a new connection. Called synchronously, before anything else happens on the link. A hub's `accept` takes any. */
export type Accept = (connection: ServerConnection) => void
