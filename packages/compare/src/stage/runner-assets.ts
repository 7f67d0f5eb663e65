import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { authorityOf, requestUrl } from '@eitherway/core'

/** Settings of {@link createRunnerAssets}. */
export interface RunnerAssetsSettings {
  /** Where the built page lies. */
  readonly folder: URL
  /** The port of the stage's control, which the runner asks. */
  readonly controlPort: () => number
  /** Origins of pages that may hold the runner in a frame. */
  readonly ancestors: readonly string[]
}

const files: Readonly<Record<string, { readonly name: string; readonly type: string }>> = {
  '/runner': { name: 'runner.html', type: 'text/html; charset=utf-8' },
  '/runner.js': { name: 'runner.js', type: 'text/javascript; charset=utf-8' },
}

/**
 * The document that runs scenarios in a browser, and its script: of one origin with the server under measurement, so that
 * its clients are as an application's would be.
 *
 * @returns what answers a request for one of the two, and says whether it was for one.
 */
export function createRunnerAssets({
  folder,
  controlPort,
  ancestors,
}: RunnerAssetsSettings): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const url = requestUrl(request.url, authorityOf(request.headers))
    const file = files[url?.pathname ?? '']
    if (url === undefined || file === undefined) return false
    if (request.method !== 'GET') {
      response.writeHead(405, { Allow: 'GET' }).end()
      return true
    }
    const body = bodyOf(new URL(file.name, folder))
    if (body === undefined) {
      response.writeHead(503, { 'Content-Type': 'text/plain; charset=utf-8' })
      response.end('the runner is not built; run `npm run build` first\n')
      return true
    }
    response.writeHead(200, {
      'Content-Type': file.type,
      'Content-Length': body.byteLength,
      'Cache-Control': 'no-cache',
      'Content-Security-Policy': policy(url, controlPort(), ancestors),
      // Alone in its window, it has the finer clock that browsers give to those who let nobody else in.
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
      'Cross-Origin-Resource-Policy': 'cross-origin',
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    })
    response.end(body)
    return true
  }
}

/** By the name under which it was asked for, as its clients will ask as well. */
function policy({ host, hostname }: URL, controlPort: number, ancestors: readonly string[]): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `connect-src 'self' ws://${host} wss://${host} http://${hostname}:${controlPort}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${ancestors.length === 0 ? "'none'" : ancestors.join(' ')}`,
  ].join('; ')
}

/** Read each time: it is a few files, and a stage that never shows them needs no build. */
function bodyOf(file: URL): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch {
    return undefined // it is not built
  }
}
