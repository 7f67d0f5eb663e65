import { rawNet } from './raw.mjs'

/** The limit: one prebuilt buffer, one `socket.write` for each message and socket. */
export default rawNet('raw TCP', (sockets, buffers) => {
  for (const buffer of buffers) for (const socket of sockets) socket.write(buffer)
})
