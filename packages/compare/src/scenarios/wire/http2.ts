import { once } from 'node:events'
import { connect, constants } from 'node:http2'
import { Readable } from 'node:stream'

/** Room for what was sent and not yet read: as much as Chromium grants a stream, so that no message waits for more. */
const windowBytes = 6 * 1024 * 1024

/** `fetch` over HTTP/2 without encryption, which Node's own does not speak. Each call has a session of its own. */
export async function fetchOverHttp2(input: string | URL, init: RequestInit): Promise<Response> {
  const url = new URL(input)
  const session = connect(url.origin, { settings: { initialWindowSize: windowBytes, enablePush: false } })
  // Whoever waits hears it from the stream.
  session.on('error', () => undefined)
  session.once('connect', () => session.setLocalWindowSize(windowBytes))
  const headers = Object.fromEntries(new Headers(init.headers))
  const stream = session.request({ ...headers, ':path': `${url.pathname}${url.search}` })
  stream.once('close', () => session.close())
  init.signal?.addEventListener('abort', () => stream.close(constants.NGHTTP2_CANCEL), { once: true })
  const [answer] = (await once(stream, 'response')) as [Record<string, string | number>]
  const { ':status': status = 0 } = answer
  const fields = Object.entries(answer).filter(([name]) => !name.startsWith(':'))
  return new Response(Readable.toWeb(stream) as ReadableStream, {
    status: Number(status),
    headers: fields.map(([name, value]) => [name, String(value)] as [string, string]),
  })
}
