import { checkName, show } from '@eitherway/core'

/** The names under which one hub keeps what it keeps. All have one hash tag: in a cluster they stay together. */
export interface Keys {
  /** The epoch, the number of the newest message, and what else is counted once. */
  readonly meta: string
  /** What was published, a batch in each entry: what nodes read live. */
  readonly log: string
  /** What is known of each channel's history. */
  readonly logs: string
  /** Channels by the time of their newest message. */
  readonly fresh: string
  /** Nodes by the time they were last heard of. */
  readonly nodes: string
  /** A channel's history. */
  channel(name: string): string
  /** How many follow each channel on a node. */
  presence(node: string): string
  /** The last batch that a writer has published. */
  writer(id: string): string
  /** What is asked of a node, and what it is answered. */
  inbox(node: string): string
  /** Where the hub of this name is to be found. */
  hub(name: string): string
}

/** @throws TypeError when the prefix is none. */
export function keysOf(prefix: string): Keys {
  checkName('prefix', prefix)
  // Redis hashes what stands between the first `{` and the first `}` after it.
  if (/[{}]/.test(prefix)) {
    throw new TypeError(
      `\`prefix\` must not contain { or }, got ${show(prefix)}: they mark what a cluster keeps together`,
    )
  }
  const tag = `{${prefix}}`
  return {
    meta: `${tag}:meta`,
    log: `${tag}:log`,
    logs: `${tag}:logs`,
    fresh: `${tag}:fresh`,
    nodes: `${tag}:nodes`,
    channel: (name) => `${tag}:channel:${name}`,
    presence: (node) => `${tag}:presence:${node}`,
    writer: (id) => `${tag}:writer:${id}`,
    inbox: (node) => `${tag}:inbox:${node}`,
    hub: (name) => `${tag}:hub:${name}`,
  }
}
