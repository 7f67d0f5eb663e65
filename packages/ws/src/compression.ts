import type { IncomingHttpHeaders } from 'node:http'
import { constants, deflateRawSync } from 'node:zlib'

/**
 * The window of 12 bits is the smallest that a client of ours asks for (Python's `websockets` does), so that one encoding
 * serves all. On JSON it gives nothing away, and takes two thirds of the CPU that the largest takes.
 */
const windowBits = 12

/** Makes a message's payload smaller; `undefined` where it is better off as it is. */
export type Deflate = (payload: string | Uint8Array) => Uint8Array | undefined

/**
 * Deflates messages as permessage-deflate has them, without a context that one would take over from another.
 *
 * @param thresholdBytes - what is smaller is left as it is.
 * @see https://www.rfc-editor.org/rfc/rfc7692#section-7.2.1
 */
export function createDeflate(thresholdBytes: number): Deflate {
  return (payload) => {
    const size = Buffer.byteLength(payload)
    if (size < thresholdBytes) return undefined
    const deflated = deflateRawSync(payload, { windowBits, finishFlush: constants.Z_SYNC_FLUSH })
    // [RFC 7692] 7.2.1: the receiver adds the last four bytes itself, 00 00 ff ff.
    return deflated.length - 4 < size ? deflated.subarray(0, -4) : undefined
  }
}

/**
 * Whether the client offers permessage-deflate in a way that we can take. Of several offers `ws` takes the first, and where it
 * cannot take one it answers 400: better no compression than no link.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7692#section-7.1
 */
export function offersDeflate(headers: IncomingHttpHeaders): boolean {
  const offers = (headers['sec-websocket-extensions'] ?? '')
    .split(',')
    .map((offer) => offer.split(';').map((part) => part.trim()))
  return (
    offers.some(([name]) => name === extension) &&
    offers.every(([name, ...parameters]) =>
      name === extension
        ? parameters.every(isAcceptable) && isEachOnce(parameters)
        : isToken(name) && parameters.flatMap((parameter) => parameter.split('=', 2)).every(isToken),
    )
  )
}

const extension = 'permessage-deflate'

const isToken = (part = ''): boolean => /^[\w!#$%&'*+.^`|~-]+$/.test(part)

function isAcceptable(parameter: string): boolean {
  if (/^(?:server_no_context_takeover|client_no_context_takeover|client_max_window_bits)$/.test(parameter)) {
    return true
  }
  const [, end, bits] = /^(server|client)_max_window_bits=(\d\d?)$/.exec(parameter) ?? []
  return Number(bits) >= (end === 'server' ? windowBits : 8) && Number(bits) <= 15
}

function isEachOnce(parameters: readonly string[]): boolean {
  return new Set(parameters.map((parameter) => parameter.split('=')[0])).size === parameters.length
}
