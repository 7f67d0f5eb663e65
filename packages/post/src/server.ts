import type { ServerResponse } from 'node:http'
import { type Admission, type Admit, malformed, oversized, type Refusal, type Relay } from '@eitherway/core'
import {
  createListener as createSseListener,
  isAnswering,
  type Request,
  type Response,
  refuseRequest,
  type ListenerOptions as SseListenerOptions,
} from '@eitherway/sse/server'
import { createLinks } from './links.ts'
import { linkHeader, seqHeader } from './wire.ts'

export { isTwoWay } from './wire.ts'

/** Settings of {@link createListener}. */
export interface ListenerOptions extends SseListenerOptions {
  /** Largest message that a client may send, in bytes; beyond it the link is closed (1009). @defaultValue 1 MiB */
  readonly maxMessageBytes?: number
  /** How long the body of a POST may take to come, in milliseconds, 1 to 600,000; then it is refused (408). @defaultValue 30,000 */
  readonly bodyMs?: number
  /** How the nodes of one hub ask one another. @defaultValue none: a POST has to come to the node that has its link */
  readonly relay?: Relay | undefined
  /** Hears, once, that what is posted for a link comes here again and again, and its own server gives no answer. @defaultValue nobody */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** What {@link createListener} makes. */
export interface Listener {
  /** Answers a GET with a stream, and a POST. Whoever mounts it chooses the requests: see {@link isTwoWay}. */
  (request: Request, response: Response): void
  /** Answers other nodes no longer. Links stay. */
  leave(): void
}

/**
 * The server's side of `sse+post`, for Node's http and http2.
 *
 * @param admit - decides on each request for a link before it is answered, and says who takes it; a refusal is its HTTP status.
 * @throws TypeError for a setting that is none.
 */
export function createListener(admit: Admit, options: ListenerOptions = {}): Listener {
  const { gate, onRefused } = options
  const links = createLinks(options)
  const onStream = createSseListener(admit, options)

  function onGet(request: Request, response: Response): void {
    const { authorization } = request.headers
    onStream(request, response, async (arrival) => {
      const admission: Admission = await admit(arrival)
      if (typeof admission !== 'function') return admission
      const { key, accept } = await links.open(admission, authorization)
      // Its client may be gone by now.
      if (!response.headersSent) response.setHeader(linkHeader, key)
      return accept
    })
  }

  async function onPost(request: Request, response: Response): Promise<void> {
    response.on('error', ignore)
    if (response.headersSent) return
    const refuse = (refusal: Refusal) => {
      onRefused?.(refusal)
      refuseRequest(request, response, refusal)
    }
    const improper = malformed(request) ?? answerless(request) ?? gate?.(request) ?? oversized(request)
    if (improper !== undefined) return refuse(improper)
    const { headers } = request
    const taken = await links.receive({
      key: headers[linkHeader.toLowerCase()] as string | undefined,
      seq: headers[seqHeader.toLowerCase()] as string | undefined,
      authorization: headers.authorization,
      contentType: headers['content-type'],
      contentEncoding: headers['content-encoding'],
      contentLength: headers['content-length'],
      body: request,
    })
    if (response.headersSent || response.writableEnded) return
    if ('seq' in taken) answer(response, JSON.stringify({ seq: taken.seq }))
    else refuse(taken)
  }

  const listener = (request: Request, response: Response) => {
    if (request.method === 'POST') void onPost(request, response)
    else onGet(request, response)
  }
  return Object.assign(listener, { leave: links.leave })
}

const ignore = (): void => undefined

/** Behind a stream, which has no end, no answer is ever sent. */
function answerless(request: Request): Refusal | undefined {
  if ('stream' in request || !isAnswering(request.socket)) return undefined
  return { status: 503, reason: 'a POST cannot wait behind a stream on one connection' }
}

function answer(response: Response, text: string): void {
  response.setHeader('Content-Type', 'application/json')
  response.setHeader('Cache-Control', 'no-store')
  response.statusCode = 200
  // Both kinds of response have this `end`, but no one signature.
  ;(response as ServerResponse).end(text)
}
