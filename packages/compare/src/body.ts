import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Reads the body of a request, and no further than this.
 *
 * @throws Error (by rejection) where there is more: nobody is then there any more to be answered.
 */
export async function textOf(
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) {
      response.destroy()
      throw new Error('the body is too large')
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
