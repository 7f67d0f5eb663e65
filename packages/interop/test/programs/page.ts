import { connect } from '@eitherway/client'
import { sse } from '@eitherway/sse/client'
import { print } from './print.ts'

/**
 * Our client in a page that is driven from outside. It tells what it hears, its gaps and its states.
 *
 * Globals of the page: `client`, and `show`, which plays a tab that is hidden or seen again, for a browser that hides none
 * behind another.
 */
export function start({
  url,
  transport,
  channels,
  headers,
  token,
}: {
  url: string
  transport: 'sse' | 'ws' | 'sse+post'
  channels: readonly string[]
  /** Sent with each request over SSE. */
  headers?: Readonly<Record<string, string>>
  token?: string
}): void {
  const client = connect(url, {
    transport: headers === undefined ? transport : sse({ headers }),
    channels,
    ...(token !== undefined && { token: () => token }),
  })
  client.onGap((gap) => print({ gap }))
  client.onState((state) => print({ state }))
  void client.closed.then(({ code }) => print({ code }))
  for (const channel of channels) client.on(channel, (data) => print([channel, data]))
  Object.assign(globalThis, {
    client,
    show(visibility: string) {
      Object.defineProperty(document, 'visibilityState', { configurable: true, value: visibility })
      document.dispatchEvent(new Event('visibilitychange'))
    },
  })
}
