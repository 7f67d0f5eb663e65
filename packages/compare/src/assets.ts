import { readdirSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname } from 'node:path'

// From `src` and from `dist` alike.
const folder = new URL('../dist/page/', import.meta.url)

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}

/** @param frame - the one foreign origin that the page may show in a frame. */
const policy = (frame = "'none'") =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    `frame-src ${frame}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')

const headers = {
  'Cache-Control': 'no-cache',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}

/**
 * Reads the built page into memory.
 *
 * @param frameOf - the origin that the page may show in a frame, asked for when the page itself is.
 * @returns what answers a request for one of its files, and says whether there is one.
 * @throws Error when the page is not built.
 */
export function loadAssets(
  frameOf: (request: IncomingMessage) => Promise<string | undefined>,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const files = new Map<string, Asset>(
    namesIn(folder).map((name) => [`/${name === 'index.html' ? '' : name}`, readAsset(name)] as const),
  )
  return (request, response) => {
    const { method, url = '' } = request
    const path = url.split('?', 1)[0] ?? ''
    const file = files.get(path)
    if (file === undefined) return false
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD' }).end()
      return true
    }
    const answer = (frame?: string) => {
      response.writeHead(200, {
        ...headers,
        'Content-Security-Policy': policy(frame),
        'Content-Type': file.type,
        'Content-Length': file.body.byteLength,
      })
      response.end(method === 'HEAD' ? undefined : file.body)
    }
    // Without a frame, the page still shows the rest.
    if (path === '/') void frameOf(request).then(answer, () => answer())
    else answer()
    return true
  }
}

function namesIn(place: URL): string[] {
  try {
    return readdirSync(place).filter((name) => Object.hasOwn(types, extname(name)))
  } catch (cause) {
    throw new Error('the page of the lab is not built; run `npm run build` first', { cause })
  }
}

interface Asset {
  readonly type: string
  readonly body: Buffer
}

function readAsset(name: string): Asset {
  return { type: types[extname(name)] ?? '', body: readFileSync(new URL(name, folder)) }
}
