import { connect } from '@eitherway/client'
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
}: {
  url: string
  transport: 'sse' | 'ws'
  channels: readonly string[]
}): void {
  const client = connect(url, { transport, channels })
  client.onGap((gap) => print({ gap }))
  client.onState((state) => print({ state }))
  for (const channel of channels) client.on(channel, (data) => print([channel, data]))
  Object.assign(globalThis, {
    client,
    show(visibility: string) {
      Object.defineProperty(document, 'visibilityState', { configurable: true, value: visibility })
      document.dispatchEvent(new Event('visibilitychange'))
    },
  })
}
