import { byteLength, type Refusal, type Relay } from '@eitherway/core'
import type { Taken } from './link.ts'
import { holdMs } from './wire.ts'

/** What one node asks another. Neither the key nor what was shown with it leaves the node to which they came. */
export interface Question {
  readonly proof: string
  readonly seq: number
  readonly text: string
}

/** The other nodes of a hub, to which is handed on what is posted here and is for links of theirs. */
export interface Neighbours {
  /**
   * Makes sure that a node has a link before anything is read for it: whoever makes up keys must not have us carry bodies to nobody,
   * nor keep the others from being asked.
   *
   * @returns the refusal; `undefined` where it has it.
   */
  meet(node: string, proof: string): Promise<Refusal | undefined>
  /** Hands on what was posted. */
  ask(node: string, question: Question): Promise<Taken | Refusal>
}

/** How long a node may take that only says whether it has a link, which it does at once. */
const meetMs = 2_000

/** How long a node may take that is given something: as long as it holds an answer back, and some more. */
const askMs: number = holdMs + 5_000

/** Links about which other nodes are being asked at one time. A node's inbox takes ten times as much. */
const maxMeetings = 100

/** Those about one node: it may have died without a word, and whoever knows its name must not keep the others from being met. */
const maxMeetingsOfNode = 50

/** What is on its way to other nodes at one time, in bytes: it is kept until they answer, here and where the broker keeps it. */
const maxCarriedBytes = 64 * 1024 * 1024

/** Links of other nodes that are remembered, those that posted last. */
const maxKnown = 10_000

/**
 * Makes them, of which nothing is known yet.
 *
 * @param onUnanswered - hears of whose link a node was asked and gave no answer.
 */
export function createNeighbours(
  relay: Relay,
  onUnanswered: (proof: string, cause: unknown) => void = () => undefined,
): Neighbours {
  /** Proofs, the one that posted last at the end. */
  const known = new Set<string>()
  const meetings = new Map<string, number>()
  let meetingCount = 0
  let carriedBytes = 0

  /** @param asked - the question about this link as it goes. */
  async function put(node: string, proof: string, asked: string, ms: number): Promise<Taken | Refusal> {
    const answer = await answerOf(node, proof, asked, ms)
    known.delete(proof)
    if ('seq' in answer) remember(proof)
    return answer
  }

  async function answerOf(node: string, proof: string, asked: string, ms: number): Promise<Taken | Refusal> {
    try {
      return read(await relay.ask(node, asked, AbortSignal.timeout(ms))) ?? unanswered
    } catch (cause) {
      onUnanswered(proof, cause)
      return unanswered
    }
  }

  function remember(proof: string): void {
    known.add(proof)
    if (known.size <= maxKnown) return
    const [longest] = known
    known.delete(longest as string)
  }

  return {
    async meet(node, proof) {
      if (known.has(proof)) return undefined
      const ofNode = meetings.get(node) ?? 0
      if (meetingCount >= maxMeetings || ofNode >= maxMeetingsOfNode) return busy
      meetingCount += 1
      meetings.set(node, ofNode + 1)
      try {
        const answer = await put(node, proof, JSON.stringify({ proof, seq: 1, text: '' }), meetMs)
        return 'status' in answer ? answer : undefined
      } finally {
        meetingCount -= 1
        const left = (meetings.get(node) ?? 1) - 1
        if (left === 0) meetings.delete(node)
        else meetings.set(node, left)
      }
    },
    async ask(node, question) {
      const asked = JSON.stringify(question)
      // As it goes: a control character is six there.
      const bytes = byteLength(asked)
      if (carriedBytes + bytes > maxCarriedBytes) return busy
      carriedBytes += bytes
      try {
        return await put(node, question.proof, asked, askMs)
      } finally {
        carriedBytes -= bytes
      }
    },
  }
}

const busy: Refusal = {
  status: 503,
  reason: 'too much is on its way to other servers at once',
  retryAfterMs: 1000,
}

/** Of a node that is gone, one that is late and a broker that is: the client comes again, and learns by its stream which. */
const unanswered: Refusal = {
  status: 503,
  reason: 'the server that has this link gives no answer',
  retryAfterMs: 1000,
}

/** @returns `undefined` for what no node of ours answers. */
function read(text: string): Taken | Refusal | undefined {
  const { seq, status, reason, retryAfterMs } = Object(JSON.parse(text)) as Record<string, unknown>
  if (isCount(seq)) return { seq }
  if (!isCount(status) || status < 400 || status > 599 || typeof reason !== 'string') return undefined
  return isCount(retryAfterMs) ? { status, reason, retryAfterMs } : { status, reason }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
