import type { Accept, Admit, Agreement, Refusal, Relay } from '@eitherway/core'
import type { OnRequest, Publish, ReceivedFrom } from './contract.ts'
import type { CloseOptions } from './options.ts'
import type { Peer } from './peer.ts'
import type { HubStats } from './stats.ts'

/** The server's publish side: channels, and the peers that follow them. It knows no transport. */
export interface Hub<Context = undefined, A extends Agreement | undefined = undefined> {
  /**
   * Publishes to every peer that follows the channel.
   *
   * @returns the message's id, once it is stored.
   * @throws (by rejection) TypeError when a name or the data cannot cross, or the message is over `maxMessageBytes`; Error
   * when the hub is closed.
   */
  readonly publish: Publish<A>
  /** Runs for each new peer, after its greeting. What it returns is awaited for errors only. @returns its undo. */
  onConnect(handler: (peer: Peer<Context, A>) => unknown): () => void
  /**
   * Runs for each message that a peer sends, one after the other: the next of the same peer waits until the promise that
   * the handler returned has settled, and so holds a fast sender back. Where no handler is, what peers send is counted and let go,
   * and `onError` is told of the first. @returns its undo.
   */
  onMessage(handler: (message: ReceivedFrom<A>, peer: Peer<Context, A>) => unknown): () => void
  /**
   * Answers the requests of this name, of any peer: what the handler returns is the reply, what it throws the failure. Those of
   * one peer run at the same time, up to `maxConcurrentRequests`.
   *
   * @param name - 1 to 200 bytes, otherwise as that of an event.
   * @throws TypeError when the name is none, or has a handler already. @returns its undo.
   */
  readonly onRequest: OnRequest<Context, A>
  /** The peers that are connected now. */
  readonly peers: ReadonlySet<Peer<Context, A>>
  /**
   * How many peers follow a channel: on all nodes, where the broker can tell, and otherwise here. A node that dies counts for some
   * seconds more.
   *
   * @throws (by rejection) Error when the other nodes cannot be asked.
   */
  count(channel: string): Promise<number>
  /** Counts of what happened and how it stands. Cheap enough to be asked each second. */
  stats(): HubStats
  /**
   * Decides on a request before it is answered, so that a refusal is an HTTP status, and says who takes the connection. `serve`
   * asks it; so may a transport of your own.
   */
  readonly admit: Admit
  /**
   * Takes a connection that was answered already, or closes it: with the code that says what `admit` would have refused it for,
   * or with that of {@link Hub.close}.
   */
  readonly accept: Accept
  /**
   * Counts a request that was refused before `admit` was asked, by its origin or its form for instance, in {@link HubStats.refused}.
   * `serve` tells it; so may a transport of your own.
   */
  readonly refused: (refusal: Refusal) => void
  /** Tells `onError` of what goes wrong in an entrance. `serve` does; so may a transport of your own. */
  readonly tell: (error: unknown) => void
  /** How the hubs of one broker ask one another, where it can: `serve` lets them hand on what a client posts to any of them. */
  readonly relay: Relay | undefined
  /**
   * Closes every peer, and the hub for good. New peers are refused (503) from the first call on; publishing goes on until the
   * last peer is closed. A second call closes what is left at once.
   */
  close(options?: CloseOptions): Promise<void>
}

/** As much of a hub as an entrance needs; without `relay` and `tell`, a client's posts have to come to its own server, or fail unheard. */
export type EntranceHub = Pick<Hub, 'admit' | 'refused'> & Partial<Pick<Hub, 'relay' | 'tell'>>
