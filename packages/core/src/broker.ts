import type { Gap } from './frame.ts'
import type { Message } from './message.ts'

/** Hears every message that was published, in order. Called synchronously; must not throw. */
export type BrokerListener = (channel: string, message: Message) => void

/** What a reader missed. */
export interface History {
  /** What followed the position in the channels asked for, in order, without those of a gap. */
  readonly messages: readonly Message[]
  /** What history can no longer give back. A channel of a gap is not replayed in part: its state has to be read anew. */
  readonly gap?: Gap
  /** Where the reading ends, told by the same step: what is published later comes after it. */
  readonly position: string
  /** Set where there is more before `position` than was to be read at once: go on after this id, `until` that position. */
  readonly next?: string
}

/** How much of history is read at once. */
export interface HistoryBounds {
  /**
   * Stop once the messages read so far hold this many bytes; at least one is read. What is not read is neither copied nor kept
   * alive: a reader that stands still must not keep what history evicts meanwhile. @defaultValue no bound
   */
  readonly maxBytes?: number
  /** The position of the first page, where a reading in several ends. @defaultValue the newest */
  readonly until?: string
}

/**
 * Orders, stores and spreads what is published, for one hub or for many.
 *
 * Ids are ordered over all channels, so that one position resumes any number of them, and carry an epoch, so that a
 * position from before a loss is recognised.
 */
export interface Broker {
  /**
   * Gives the message its id and stores it in one step; then every subscriber hears it, this one's too.
   *
   * @returns the id, once the message is stored.
   */
  publish(channel: string, event: string, data: string | Uint8Array): Promise<string>
  /**
   * Hears from now on.
   *
   * @param onLost - told where messages after this position will not be heard, as after a failure of what spreads them: who has
   * been given all up to there is to be given what {@link Broker.history} says of the rest. Called before what comes next is heard.
   * @returns its undo.
   */
  subscribe(listener: BrokerListener, onLost?: (after: string) => void): () => void
  /**
   * The id after which the next message will be: that of the newest, or one before the first. At once, where it is known. By the
   * time it is answered, all subscribers here have heard what lies before it.
   */
  position(): string | Promise<string>
  /**
   * Whether an id comes after another, both of this broker's making. A node may hear a message later than a client of it has it from
   * another node; the hub asks which of what it heard is old to whom.
   */
  isAfter(id: string, other: string): boolean
  /**
   * What followed `after` in these channels. An id that is none of ours is a gap, never all of history. By the time it is answered,
   * all subscribers here have heard what lies before its end.
   */
  history(channels: readonly string[], after: string, bounds?: HistoryBounds): Promise<History>
  /**
   * How the hubs of this broker ask one another, where they can. With it a client's request may come to any of them, whichever
   * has its link. @defaultValue none: whoever spreads requests over several hubs has to send each client's to the same one
   */
  readonly relay?: Relay
  /** How many follow a channel on all nodes together, where they can tell. @defaultValue none: each hub counts its own */
  readonly presence?: Presence
}

/** Adds up how many follow each channel on all nodes. */
export interface Presence {
  /** So many more follow a channel here, or fewer, from now on. */
  add(channel: string, change: number): void
  /**
   * How many follow a channel on all nodes: exact for this one, a moment old for the others. A node that dies counts for some seconds
   * more.
   *
   * @throws (by rejection) Error when the others cannot be asked.
   */
  count(channel: string): Promise<number>
}

/** Answers what another node asks. What it rejects with is told to nobody: the asker learns only that there is no answer. */
export type Answer = (question: string) => Promise<string>

/**
 * Lets nodes ask one another: a question and an answer, each a text of any characters and of a few megabytes at most.
 *
 * A question is put once at most, and what becomes of one without an answer nobody knows: it may have been heard. Many may be
 * under way at once, and none waits for another's answer.
 */
export interface Relay {
  /**
   * Answers from now on, or soon, what is asked of this node.
   *
   * @param node - 1 to 64 of `A` to `Z`, `a` to `z`, `0` to `9`, `_` and `-`. Drawn at random by whoever joins: two nodes of one
   * name are nobody's to tell apart.
   * @returns its undo. What is being answered by then still is.
   */
  join(node: string, answer: Answer): () => void
  /**
   * Asks another node, or this one.
   *
   * @param signal - ends the wait, which has no other bound.
   * @throws (by rejection) the signal's reason once it is aborted; otherwise Error: when nobody of that name has joined as far as
   * can be told, without waiting for the signal; when its answer failed; when the question could not be put or was lost.
   */
  ask(node: string, question: string, signal: AbortSignal): Promise<string>
}
