/** The header by which a server hands out the key of a link, and a client says which one it means. */
export const linkHeader = 'Eitherway-Link'

/** The header that numbers the first message of a body. */
export const seqHeader = 'Eitherway-Seq'

/** The parameter of the query that asks for a link both ways, and its value. */
export const upParameter = 'up'
export const upByPost = 'post'

/** What goes up is written as what comes down. */
export const mediaType = 'text/event-stream'

/** What may wait to be sent, or to be handled, before the sender is held back. */
export const highWaterBytes: number = 64 * 1024

/** How long an answer waits at most for a reader that is behind. Shorter than what proxies wait for an answer. */
export const holdMs = 10_000

/** Whether a GET asks for a link both ways rather than for a stream. */
export function isTwoWay({ url = '' }: { readonly url?: string | undefined }): boolean {
  const start = url.indexOf('?')
  if (start === -1 || !url.includes(upByPost, start)) return false
  return new URLSearchParams(url.slice(start + 1)).get(upParameter) === upByPost
}
