import { layersOf } from './web-entrance.ts'

/** As long as Bun keeps an idle connection by default, in seconds. */
const idleSeconds = 10

/**
 * Answers a request without having Bun cut it: it ends an answer that says nothing for ten seconds, a stream too, unless its server is
 * told otherwise for that request.
 *
 * That holds for the connection, and longer than for the request: whoever was refused, or whose stream is over, could keep as many of
 * them as the system has, and nobody would count them. So whatever is no stream has its end again, and a stream's connection goes with
 * it, after which Bun cannot be told any more. @internal
 */
export async function keptOpen<R extends Response | undefined>(
  request: Request,
  info: object | null | undefined,
  answer: () => Promise<R>,
): Promise<R> {
  const server = layersOf(info).find(
    ({ timeout, requestIP }) => typeof timeout === 'function' && requestIP !== undefined,
  )
  if (server === undefined) return await answer()
  server.timeout?.(request, 0)
  let isOpen = false
  try {
    const response = await answer()
    const isStream = response?.headers.get('Content-Type') === 'text/event-stream'
    if (isStream) response?.headers.set('Connection', 'close')
    // What became a WebSocket has a timeout of its own.
    isOpen = isStream || response === undefined
    return response
  } finally {
    if (!isOpen) server.timeout?.(request, idleSeconds)
  }
}
