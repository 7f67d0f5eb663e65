/**
 * The rules of the way up, for any kind of server: who may post, what is read of it, and what is answered. Without Node, so that
 * a server of another platform keeps the same ones.
 *
 * @packageDocumentation
 */
import { type Accept, checkNumber, maxMessageBytesOf, type Refusal, type Relay } from '@eitherway/core'
import { type Budget, readBody, tooLarge } from './body.ts'
import { gone, PostConnection, type Taken } from './link.ts'
import { createNeighbours, type Question } from './neighbours.ts'
import { holdMs, mediaType } from './wire.ts'

export type { Taken } from './link.ts'
export { isTwoWay, linkHeader, seqHeader } from './wire.ts'

/** Settings of {@link createLinks}. */
export interface LinksOptions {
  /** Largest message that a client may send, in bytes; beyond it the link is closed (1009). @defaultValue 1 MiB */
  readonly maxMessageBytes?: number
  /** How long the body of a POST may take to come, in milliseconds, 1 to 600,000; then it is refused (408). @defaultValue 30,000 */
  readonly bodyMs?: number
  /** How the nodes of one hub ask one another. @defaultValue none: a POST has to come to the node that has its link */
  readonly relay?: Relay | undefined
  /** Hears, once, that what is posted for a link comes here again and again, and its own server gives no answer. @defaultValue nobody */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** A POST, its headers as they came. */
export interface Post {
  /** `Eitherway-Link`. */
  readonly key: string | undefined
  /** `Eitherway-Seq`. */
  readonly seq: string | undefined
  readonly authorization: string | undefined
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
  readonly contentLength: string | undefined
  readonly body: AsyncIterable<Uint8Array>
}

/** A link that is about to be answered. */
export interface Opened {
  /** What the answer's `Eitherway-Link` says. A secret: whoever has it, and the token that the link was asked for with, may post. */
  readonly key: string
  /** Takes the stream of that answer; it makes a link both ways of it, and hands that on. */
  readonly accept: Accept
}

/** The links of one server that are both ways over HTTP. */
export interface Links {
  /**
   * Makes a key for a link.
   *
   * @param accept - takes the link, two-way.
   * @param authorization - the header of that name in the link's request; each POST has to show the same.
   */
  open(accept: Accept, authorization: string | undefined): Promise<Opened>
  /** Takes a POST that the gate let in. @returns what is answered: 200 with {@link Taken} as JSON, or a refusal. */
  receive(post: Post): Promise<Taken | Refusal>
  /** Answers other nodes no longer. Links stay. */
  leave(): void
}

/** POSTs of one link at a time. An honest client has one under way, and another where an answer was lost. */
const maxPosts = 4

/** Links that are remembered because their server gave no answer. */
const maxStrays = 100

const lacksRelay =
  'what clients of `sse+post` send comes to this server, and the one that has their link gives no answer here: unless that one has just ended, or somebody makes keys up, servers behind one address need one broker with a relay, such as `redisBroker`, or all requests of a client have to come to one server. It is not said again'

/** What a message of line ends only becomes, each of which is written `data: `. */
const bytesPerByte = 7

/** Least bound of a body, whatever a message may be. */
const minBodyBytes = 256 * 1024

/** Makes the links of one server, of which there are none yet. @throws TypeError for a setting that is none. */
export function createLinks(options: LinksOptions = {}): Links {
  const { bodyMs = 30_000, relay, onError } = options
  checkNumber('bodyMs', bodyMs, 1, 600_000)
  const maxMessageBytes = maxMessageBytesOf(options)
  const maxBytes = Math.max(minBodyBytes, bytesPerByte * maxMessageBytes + 4096)
  const node = randomText(12)
  /** By the proof of who may post. Nobody can guess his way along it, as with the keys themselves. */
  const links = new Map<string, PostConnection>()
  const posts = new Map<string, number>()
  const budget: Budget = { bytes: 0, readings: new Set() }
  const neighbours = relay && createNeighbours(relay, stray)

  async function take({ proof, seq, text }: Question): Promise<Taken | Refusal> {
    const link = links.get(proof)
    if (link === undefined) return gone
    const taken = link.take(seq, text)
    // One that only asks is answered at once.
    if ('seq' in taken && text !== '') await link.caughtUp(holdMs)
    return taken
  }

  /** Proofs of late whose server gave no answer; `undefined` once that was told. */
  let strays: Set<string> | undefined = new Set()
  /** At the second POST for one link: whoever guesses tries a key once, and so does a client whose server has just ended. */
  function stray(proof: string, cause: unknown): void {
    if (strays?.has(proof)) {
      strays = undefined
      onError?.(new Error(lacksRelay, { cause }))
    }
    if (strays?.size === maxStrays) strays.clear()
    strays?.add(proof)
  }

  async function receive(post: Post): Promise<Taken | Refusal> {
    const asked = check(post, maxBytes)
    if ('status' in asked) return asked
    if (asked.node !== node && neighbours === undefined) return gone
    const proof = await prove(post.key as string, post.authorization)
    if (asked.node === node && !links.has(proof)) return gone
    const under = posts.get(proof) ?? 0
    if (under >= maxPosts) {
      return { status: 429, reason: `${maxPosts} bodies of this link are under way`, retryAfterMs: 1000 }
    }
    posts.set(proof, under + 1)
    try {
      const unknown = asked.node === node ? undefined : await neighbours?.meet(asked.node, proof)
      if (unknown !== undefined) return unknown
      const text = await readBody(post.body, { maxBytes, bodyMs, budget })
      if (typeof text !== 'string') return text
      if (!isWhole(text)) return halfBlock
      const question = { proof, seq: asked.seq, text }
      return asked.node === node || neighbours === undefined
        ? await take(question)
        : await neighbours.ask(asked.node, question)
    } finally {
      const left = (posts.get(proof) ?? 1) - 1
      if (left === 0) posts.delete(proof)
      else posts.set(proof, left)
    }
  }

  const leave = relay?.join(node, async (question) => JSON.stringify(await take(JSON.parse(question))))

  return {
    async open(accept, authorization) {
      const key = `${node}.${randomText(16)}`
      const proof = await prove(key, authorization)
      return {
        key,
        accept(down) {
          const link = new PostConnection(down, maxMessageBytes)
          links.set(proof, link)
          void link.closed.then(() => links.delete(proof))
          accept(link)
        },
      }
    },
    receive,
    leave: () => leave?.(),
  }
}

/** What is wrong with the head of a POST; otherwise what it says. */
function check(
  { key, seq, contentType, contentEncoding, contentLength }: Post,
  maxBytes: number,
): Refusal | { readonly node: string; readonly seq: number } {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== mediaType) return { status: 415, reason: `what is posted here is ${mediaType}` }
  if (contentEncoding !== undefined && contentEncoding.toLowerCase() !== 'identity') {
    return { status: 415, reason: 'what is posted here has no content coding' }
  }
  if (key === undefined || key === '') {
    return {
      status: 400,
      reason: 'a POST names its link in Eitherway-Link, as the answer to a GET with up=post did',
    }
  }
  const [, node] = /^([\w-]{16})\.[\w-]{22}$/.exec(key) ?? []
  if (node === undefined) return gone
  if (!/^[1-9]\d{0,14}$/.test(seq ?? '')) {
    return { status: 400, reason: 'Eitherway-Seq is the number of the first message in the body, from 1' }
  }
  if (Number(contentLength) > maxBytes) return tooLarge(maxBytes)
  return { node, seq: Number(seq) }
}

/** Whether it ends where a block does. What follows the last end of one would be lost in silence. */
const isWhole = (text: string): boolean => text === '' || /(?:\r\n|\n|\r)(?:\r\n|\n|\r)$/.test(text)

const halfBlock: Refusal = {
  status: 400,
  reason:
    'the body ends within a block: an empty line has to end each (curl takes line ends away unless it is told --data-binary)',
}

/**
 * Stands for a key and what has to be shown with it. As a digest, it can be looked up without telling by the time that it takes
 * how much of a guess was right.
 */
async function prove(key: string, authorization = ''): Promise<string> {
  const bytes = new TextEncoder().encode(`${key}\n${authorization}`)
  return toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

const randomText = (bytes: number): string => toBase64Url(crypto.getRandomValues(new Uint8Array(bytes)))

const toBase64Url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
