// A page's compiler knows `AsyncDisposable` by this alone: it is in no `lib` of a year yet.
/// <reference lib="esnext.disposable" preserve="true" />
import type { Agreement, Choice, Close, Direction, Gap, Received, State } from '@eitherway/core'
import type { On, ReceivedBy, Request, Send } from './contract.ts'
import type { DirectionOf, TransportOption } from './transports.ts'

/** Hears the messages of one event: the data, and the whole message. A promise that it returns is awaited for errors only. */
export type Handler<T = unknown> = (data: T, message: Received<T>) => unknown

/** What every client has, whatever its transport. It outlives its connections. */
export interface Listener<A extends Agreement | undefined = undefined>
  extends AsyncIterable<ReceivedBy<A>>,
    AsyncDisposable {
  /** The name of its transport, e.g. `sse`; with `auto`, of the one that was chosen for its last link, once there was one. */
  readonly transport: string
  /** Why that one, where the transport is one that chooses. For people and logs. */
  readonly choice: Choice | undefined
  readonly state: State
  /** The id of the last message that was delivered, or the position that the server gave at connect; `''` before that. */
  readonly lastEventId: string
  /** The channels that it follows. */
  readonly channels: readonly string[]
  /** Fulfils with the reason when the client is done for good. Never rejects: a lost link is not the end. */
  readonly closed: Promise<Close>
  /**
   * Hears the messages of one event. A handler that is added in the turn of `connect` misses none.
   *
   * A handler that throws, or data that is not of the client's format or contract, is told to `onError` and ends nothing.
   *
   * @returns its undo.
   */
  readonly on: On<A>
  /** Hears each change of `state`; `reason` says why the last link was lost, until there is one again. @returns its undo. */
  onState(handler: (state: State, reason: Close | undefined) => void): () => void
  /** Hears that messages are lost to this client: it should read its state anew. @returns its undo. */
  onGap(handler: (gap: Gap) => void): () => void
  /**
   * Follows more channels, from the client's position on. A second link is made with them and takes over from the first, so
   * that nothing is lost and nothing comes twice; calls of one turn share one link.
   *
   * @returns a promise that fulfils when they are followed.
   * @throws (by rejection) TypeError for a name that is none; ConnectError when the server refuses or the link does not come
   * about, in which case the client stays as it was, or when the client is closed.
   */
  subscribe(...channels: string[]): Promise<void>
  /** Follows these channels no longer: as `subscribe`, the other way. */
  unsubscribe(...channels: string[]): Promise<void>
  /**
   * Changes the transport of this client. A second link is made over the new one; once it has brought a frame it takes over,
   * so that handlers and iterations notice nothing. Where it does not come about, the client stays as it was. A client that
   * has no link at the time takes the new transport for its next one.
   *
   * @returns this client, with the type of its new direction: `send` is there or not, as the transport has it.
   * @throws (by rejection) TypeError for what is no transport; ConnectError when the new link does not come about within
   * `connectMs`, or the client is closed.
   */
  switchTo<const T extends TransportOption>(transport: T): Promise<Client<DirectionOf<T>, A>>
  /** Ends the client: no message reaches a handler after this call. @defaultValue `{ code: 1000, reason: '' }` */
  close(close?: Close): Promise<Close>
}

/** A client that only listens. */
export interface OneWayClient<A extends Agreement | undefined = undefined> extends Listener<A> {
  readonly direction: 'one-way'
}

/** A client that listens and sends. */
export interface TwoWayClient<A extends Agreement | undefined = undefined> extends Listener<A> {
  readonly direction: 'two-way'
  /**
   * Sends one message; sends leave in the order of their calls. While there is no link it waits for the next one, or for
   * `signal`.
   *
   * Fulfils when the message is handed to the link and there is room for another: awaiting it is the backpressure. That is
   * no proof that it arrived.
   *
   * @throws (by rejection) TypeError when the event or the data cannot cross; ConnectError when the client is closed or
   * more than `maxQueuedBytes` wait already; the signal's reason when aborted.
   */
  readonly send: Send<A>
  /**
   * Asks the server, and fulfils with the answer of its handler of this name. While there is no link it waits for the next one.
   * A request is given to one link, once: it is never repeated, so the handler runs once or not at all. Where a second link
   * takes over, the first stays for up to 30 seconds to bring the answers that it owes.
   *
   * @param name - 1 to 200 bytes, otherwise as that of an event.
   * @param data - `undefined` crosses as null.
   * @throws (by rejection) RequestError as the handler threw it, `unknown` where there is none, `failed` where it failed otherwise;
   * ConnectError when the link is lost before the answer (`retryable`; the server may or may not have done it), when the client
   * is closed, when more than `maxQueuedBytes` wait to be sent or 1,000 requests for their answers; a DOMException
   * `TimeoutError` after `timeoutMs`; the signal's reason when aborted; TypeError when the name or the data cannot cross;
   * ProtocolError when the answer is not of the client's format, ContractError when it is not of its contract.
   */
  readonly request: Request<A>
}

/** A client. With a direction that is known only at run time, `direction` narrows it. */
export type Client<
  D extends Direction = Direction,
  A extends Agreement | undefined = undefined,
> = D extends 'two-way' ? TwoWayClient<A> : OneWayClient<A>
