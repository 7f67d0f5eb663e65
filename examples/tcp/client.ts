// The client's end: a transport.
import { connect as open, type Socket } from 'node:net'
import {
  addressOf,
  type Close,
  ConnectError,
  type ConnectOptions,
  checkClose,
  checkToken,
  closeCode,
  createEnding,
  createQueue,
  type Frame,
  fitReason,
  ProtocolError,
  type Transport,
  type TwoWayConnection,
} from '@eitherway/core'
import { codec } from './codec.ts'

/** What may wait to be read before the server is held back. */
const highWaterBytes = 1024 * 1024
/** How long the server may take to hang up. */
const patienceMs = 5_000

export const tcp = (): Transport<'two-way'> => ({ name: 'tcp', direction: 'two-way', connect })

async function connect(url: URL, options: ConnectOptions): Promise<TwoWayConnection> {
  const { signal, token, lastEventId } = options
  signal.throwIfAborted()
  if (token !== undefined) checkToken(token)
  const address = addressOf(url, 'http', options)
  if (address.protocol !== 'http:') throw new TypeError(`this wire has no TLS, got ${url.protocol}`)
  const socket = open({ host: address.hostname, port: Number(address.port) || 80, noDelay: true, signal })
  await connected(socket, address, signal)
  socket.write(`${JSON.stringify([address.href, lastEventId, token ?? ''])}\n`)
  return link(socket, options)
}

function connected(socket: Socket, { host }: URL, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.on('error', (cause) => {
      const reason = `${host} could not be reached: ${cause.message}`
      reject(signal.aborted ? signal.reason : new ConnectError(reason, { retryable: true, cause }))
    })
  })
}

function link(socket: Socket, { signal, limits }: ConnectOptions): TwoWayConnection {
  const frames = createQueue<Frame>()
  const decoder = codec.decoder(limits)
  const ending = createEnding(() => frames.end())
  let draining: Promise<void> | undefined

  /** Ends it from this side; what has arrived already can still be read. */
  function hangUp(close: Close): void {
    if (ending.close !== undefined) return
    ending.finish(close)
    socket.end(codec.encode({ type: 'close', close }))
    // What still comes is read and passed over, or the end would stand behind it for ever.
    socket.resume()
    socket.setTimeout(patienceMs, () => socket.destroy())
  }

  async function holdBack(): Promise<void> {
    socket.pause()
    await frames.below(highWaterBytes / 2)
    socket.resume()
  }

  /** One wait for all who send meanwhile. */
  async function drained(): Promise<void> {
    await new Promise<void>((resolve) => socket.once('drain', resolve).once('close', resolve))
    draining = undefined
  }

  function take(frame: Frame, bytes: number): void {
    if (frame.type === 'close') ending.finish(frame.close)
    else frames.push(frame, bytes)
  }

  socket.on('data', (chunk) => {
    if (ending.close !== undefined) return
    try {
      for (const frame of decoder.push(chunk)) take(frame, chunk.length)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      for (const frame of error.frames) take(frame, chunk.length)
      hangUp({ code: error.closeCode, reason: fitReason(error.message) })
    }
    if (frames.bytes > highWaterBytes) void holdBack()
  })
  socket.on('close', () => {
    if (signal.aborted) frames.drop()
    ending.finish({ code: signal.aborted ? closeCode.normal : closeCode.abnormal, reason: '' })
  })

  return {
    direction: 'two-way',
    closed: ending.closed,
    close(close = { code: closeCode.normal, reason: '' }) {
      checkClose(close)
      hangUp(close)
      frames.drop()
    },
    async send(message) {
      if (ending.close !== undefined || !socket.writable) {
        throw new ConnectError(`the link has ended (${ending.close?.code ?? 1006})`, { retryable: true })
      }
      if (socket.write(codec.encode({ type: 'message', message }))) return
      draining ??= drained()
      await draining
    },
    [Symbol.asyncIterator]: () => frames[Symbol.asyncIterator](),
  }
}
