import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { Readable } from 'node:stream'
import type { FetchLike } from '../src/client.ts'

/** A fetch over HTTP/2 without TLS, which no platform's fetch does: as much of it as a transport needs. */
export function http2Fetch(): { fetch: FetchLike; close(): void } {
  const sessions = new Map<string, ClientHttp2Session>()

  function sessionOf({ origin }: URL): ClientHttp2Session {
    const known = sessions.get(origin)
    if (known !== undefined && !known.closed && !known.destroyed) return known
    const session = connect(origin)
    session.on('error', () => {
      // Each of its streams says so.
    })
    sessions.set(origin, session)
    return session
  }

  async function answerOf(stream: ClientHttp2Stream): Promise<Response> {
    const given = await new Promise<Record<string, unknown>>((resolve, reject) => {
      stream.on('response', resolve)
      stream.on('error', reject)
      stream.on('close', () => reject(new Error('the stream closed without an answer')))
    })
    const headers = new Headers()
    for (const [name, value] of Object.entries(given)) {
      if (!name.startsWith(':')) for (const each of [value].flat()) headers.append(name, String(each))
    }
    const body = Readable.toWeb(stream) as ReadableStream<Uint8Array>
    return new Response(body, { status: Number(given[':status']), headers })
  }

  return {
    async fetch(url, { method = 'GET', headers, body, signal }) {
      signal?.throwIfAborted()
      const head = Object.fromEntries(new Headers(headers))
      const stream = sessionOf(url).request({
        ':method': method,
        ':path': `${url.pathname}${url.search}`,
        ...head,
      })
      signal?.addEventListener('abort', () => stream.destroy(signal.reason))
      stream.end(body)
      try {
        return await answerOf(stream)
      } catch (error) {
        signal?.throwIfAborted()
        throw error
      }
    },
    close() {
      for (const session of sessions.values()) session.destroy()
    },
  }
}
