import { once } from 'node:events'
import type { Server } from 'node:http'
import { createSecureServer } from 'node:http2'

/**
 * Listens with TLS, where browsers speak HTTP/2: with a certificate of its own that nobody trusts, so only a browser that
 * was told to overlook that comes in. Whoever asks for HTTP/1.1 has it, as a WebSocket does.
 *
 * @param name - of the host.
 * @param prepare - gives it its listeners before it listens.
 */
export async function createSecure(
  host: string,
  name: string,
  prepare: (server: Server) => void,
): Promise<Server> {
  // Few runs need it, and it takes a moment to load.
  const { generate } = await import('selfsigned')
  const pems = await generate([{ name: 'commonName', value: name }], { keyType: 'ec', algorithm: 'sha256' })
  const server = createSecureServer({ key: pems.private, cert: pems.cert, allowHTTP1: true })
  // Node's answers to HTTP/2 have the methods of those to HTTP/1.1, as far as anybody here uses them.
  const alike = server as unknown as Server
  prepare(alike)
  alike.listen(0, host)
  await once(alike, 'listening')
  return alike
}
