import { rawNet } from './raw.mjs'

/** The limit of bursts: a tick's messages in one `socket.write` for each socket. */
export default rawNet("raw TCP, a tick's messages in one write", (sockets, buffers) => {
  const [first] = buffers
  const joined = buffers.length === 1 && first !== undefined ? first : Buffer.concat(buffers)
  for (const socket of sockets) socket.write(joined)
})
