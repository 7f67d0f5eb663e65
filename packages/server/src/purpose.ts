import { malformed, type NodeRequest, type Refusal } from '@eitherway/core'
import { isUpgrade } from '@eitherway/ws/web'
import type { Answer, PathGate } from './gate.ts'

/** What a request to a hub's path is for: a stream, or a message to one; or it was a preflight, and is `answered`. */
export type Purpose = 'stream' | 'post' | 'answered'

/**
 * The order in which every entrance looks at a request that is no upgrade. What follows for a stream and for a post, each where it is
 * taken, is in one order too: its form, whether it can have an answer, the gate, its size; then the hub.
 */
export function purposeOf(request: NodeRequest, answer: Answer, gate: PathGate): Purpose | Refusal {
  const { method } = request
  gate.share(request, answer)
  if (method === 'POST') return 'post'
  if (method === 'GET') return misdirected(request) ?? 'stream'
  const refusal = malformed(request) ?? gate.check(request)
  if (refusal !== undefined) return refusal
  if (gate.answerPreflight(request, answer)) return 'answered'
  answer.setHeader('Allow', 'GET, POST')
  return {
    status: 405,
    reason: `${method} is not for this path; GET a stream or a WebSocket, POST to a stream's link`,
  }
}

/** What asks for something else than a stream. */
function misdirected(request: NodeRequest): Refusal | undefined {
  const { headers } = request
  const isWhole =
    isUpgrade(request) && /\bupgrade\b/i.test((headers['connection'] as string | undefined) ?? '')
  // A stream would be opened that nobody reads. nginx takes either header away that it is not told to pass on.
  if (headers['sec-websocket-key'] !== undefined && !isWhole) {
    const missing = isUpgrade(request) ? '"Connection: Upgrade"' : 'the Upgrade header'
    return { status: 426, reason: `a proxy in between took ${missing} away; it has to pass it on` }
  }
  if (isUpgrade(request)) {
    return { status: 400, reason: 'there is no WebSocket at this path; GET an event stream' }
  }
  if (acceptsStream(headers['accept'] as string | undefined)) return undefined
  return {
    status: 406,
    reason: 'this path answers with text/event-stream, which the Accept header leaves out',
  }
}

/** curl and scripts say `*` or nothing. @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1 */
function acceptsStream(accept: string | undefined): boolean {
  if (accept === undefined || accept === 'text/event-stream') return true
  return accept.split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    if (parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) return false
    return type === 'text/event-stream' || type === 'text/*' || type === '*/*'
  })
}
