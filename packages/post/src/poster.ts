import { closeCodeOfStatus, mayReturn, retryAfterMs } from '@eitherway/core'
import type { FetchLike } from '@eitherway/sse/client'
import type { Batch, Outcome } from './outgoing.ts'
import { linkHeader, mediaType, seqHeader } from './wire.ts'

/** Where a stream came from, and what it was asked for with. */
export interface Place {
  readonly url: URL
  readonly init: RequestInit
}

/** How long one POST may take, with all that the server holds its answer back for, in milliseconds. */
const postMs = 45_000

/** As much of an answer as is read. */
const maxAnswerBytes = 1024

/** Makes what posts to a link. */
export function createPoster(
  { url, init }: Place,
  key: string,
  fetch: FetchLike,
): (batch: Batch) => Promise<Outcome> {
  const given = new Headers(init.headers)
  given.delete('Accept')
  given.delete('Last-Event-ID')
  given.set('Content-Type', mediaType)
  given.set(linkHeader, key)

  return async ({ body, seq, keepalive, signal }) => {
    const headers = new Headers(given)
    headers.set(seqHeader, String(seq))
    const abort = new AbortController()
    const onAbort = () => abort.abort()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    const timer = setTimeout(onAbort, postMs)
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers,
        body,
        keepalive,
        signal: abort.signal,
        cache: 'no-store',
        redirect: 'manual',
        ...(init.credentials === undefined ? {} : { credentials: init.credentials }),
      })
      return outcomeOf(response, await textOf(response))
    } catch (error) {
      return { failure: error instanceof Error ? error.message : String(error) }
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }
}

function outcomeOf({ status, headers }: Response, text: string): Outcome {
  if (status === 200) {
    const seq = seqOf(text)
    return seq === undefined ? { failure: 'the answer is no acknowledgement' } : { seq }
  }
  const [line = ''] = text.split(/[\r\n]/, 1)
  const isText = /^text\/plain\s*(?:;|$)/i.test(headers.get('Content-Type') ?? '')
  const reason = isText && !/[\p{Cc}\ufffd]/u.test(line) ? line.trim() : ''
  if (!mayReturn(closeCodeOfStatus(status))) return { status, reason }
  return {
    failure: `it answered ${status}${reason && `: ${reason}`}`,
    retryAfterMs: retryAfterMs(headers.get('Retry-After'), Date.now()),
  }
}

function seqOf(text: string): number | undefined {
  try {
    const { seq } = JSON.parse(text) as { seq?: unknown }
    return Number.isSafeInteger(seq) ? (seq as number) : undefined
  } catch {
    // A proxy's page, say.
    return undefined
  }
}

async function textOf(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done) return text + decoder.decode()
    text += decoder.decode(value, { stream: true })
    if (text.length < maxAnswerBytes) continue
    reader?.cancel().catch(() => undefined)
    return text
  }
}
