import type { NodeRequest, Refusal } from '@eitherway/core'

/** What asks for something else than a stream. */
export function misdirected({ headers }: NodeRequest): Refusal | undefined {
  // A proxy has passed the request on without its Upgrade. A stream would be opened that nobody reads.
  if (headers['sec-websocket-key'] !== undefined) {
    return { status: 426, reason: 'a proxy in between took the Upgrade header away; it has to pass it on' }
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
