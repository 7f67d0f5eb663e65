import { print, shown } from './print.ts'

/**
 * A `WebSocket` that tells all that it hears.
 *
 * @param answer - what it says to each message that is not of the protocol: the same again, or a frame of
 * `eitherway.v1`, written by hand.
 */
export function start({
  url,
  protocols = [],
  answer,
}: {
  url: string
  protocols?: string[]
  answer?: 'echo' | 'frame'
}): void {
  const socket = new WebSocket(url, protocols)
  socket.binaryType = 'arraybuffer'
  socket.onopen = () => print({ protocol: socket.protocol })
  socket.onclose = ({ code, reason }) => print({ code, reason })
  socket.onmessage = ({ data }) => {
    print(shown(data))
    if (answer === 'echo') socket.send(data)
    if (answer !== 'frame') return
    const [id = '', event = '', ...rest] = (data as string).split('\n')
    if (!event.startsWith('~')) socket.send(`\nanswer\n${id} said ${rest.join('\n')}`)
  }
}
