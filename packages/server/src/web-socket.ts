import { closeCode } from '@eitherway/core'
import type { Upgrade } from '@eitherway/ws/web'

/** As much of a server's end of the web's `WebSocket` as is used. */
export interface WebSocketEnd {
  binaryType: string
  readonly readyState: number
  /** Not every runtime counts it. */
  readonly bufferedAmount?: number
  send(data: string | Uint8Array): void
  close(code: number, reason: string): void
  addEventListener(type: string, listener: (event: never) => void): void
}

/** Gives what was agreed on the socket that was made of it. @internal */
export function openOn(socket: WebSocketEnd, agreed: Upgrade): void {
  socket.binaryType = 'arraybuffer'
  const open = () =>
    agreed.open({
      send: (data) => socket.send(data),
      close: (code, reason) => socket.close(code, reason),
      queuedBytes: () => socket.bufferedAmount ?? 0,
      tellsDrained: false,
    })
  socket.addEventListener('message', ({ data }: { data: string | ArrayBuffer }) =>
    agreed.message(typeof data === 'string' ? data : new Uint8Array(data)),
  )
  // Deno says 0 for a link that was cut.
  socket.addEventListener('close', ({ code, reason }: { code: number; reason: string }) =>
    agreed.closed({ code: code || closeCode.abnormal, reason }),
  )
  // `close` follows, and says it all.
  socket.addEventListener('error', () => undefined)
  // A worker's is open as it is made.
  if (socket.readyState === opened) open()
  else socket.addEventListener('open', open)
}

const opened = 1
