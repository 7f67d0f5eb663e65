/**
 * Whether a page of this origin and the host that it asks are of one origin. By exact equality with what a browser at this
 * host would have sent, so that nothing of `origin` has to be understood: what is no origin, or one in another spelling, is
 * equal to none.
 *
 * @param origin - the header `Origin`.
 * @param host - the header `Host`, or HTTP/2's `:authority`.
 * @param secure - whether the request came over TLS. Without it the page may be of `https` all the same: a proxy in between
 * may have ended TLS.
 * @see https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin
 */
export function isSameOrigin(origin: string, host: string, secure: boolean): boolean {
  const name = host.toLowerCase()
  return (
    origin === `https://${withoutPort(name, ':443')}` ||
    (!secure && origin === `http://${withoutPort(name, ':80')}`)
  )
}

/** A browser leaves out the port that is its scheme's own. */
function withoutPort(host: string, port: string): string {
  return host.endsWith(port) ? host.slice(0, -port.length) : host
}
