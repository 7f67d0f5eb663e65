import type { NodeRequest } from './request.ts'
import type { Remote } from './transport.ts'

/**
 * A request as the web has it, in the words of Node's: whatever is looked at before an answer (form, gate, arrival) is one code
 * for both.
 *
 * A server that has read it into a `Request` has joined what came twice, and cut what no URL holds: that much cannot be told any
 * more.
 *
 * @param remote - the other end, where the runtime tells.
 * @param encrypted - whether it came over TLS. @defaultValue what the scheme of its URL says
 */
export function webRequest(
  { method, url, headers }: Pick<Request, 'method' | 'url' | 'headers'>,
  remote?: Remote,
  encrypted?: boolean,
): NodeRequest {
  // Bun hands over the bare target where the `Host` makes no URL of it. It is malformed then, as no path is.
  const { host, pathname, search, protocol } = URL.canParse(url) ? new URL(url) : nowhere
  const given: Record<string, string> = Object.create(null)
  const rawHeaders: string[] = []
  for (const [name, value] of headers) {
    given[name] = value
    rawHeaders.push(name, value)
  }
  // HTTP/2 has no `Host`, and some runtimes put none in its place.
  given['host'] ??= host
  const socket = {
    remoteAddress: remote?.address,
    remotePort: remote?.port,
    encrypted: encrypted ?? protocol === 'https:',
  }
  return { method, url: pathname + search, headers: given, rawHeaders, socket }
}

const nowhere = { host: '', pathname: '', search: '', protocol: '' }
