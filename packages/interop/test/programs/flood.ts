import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHub, type SlowPolicy, serve } from '@eitherway/server'
import { print } from './print.ts'

/** Settings of {@link start}. */
export interface FloodSettings {
  /** What becomes of the channel `flood` for who reads too slowly. */
  readonly slow: SlowPolicy
  /** How many peers of `flood` it waits for. */
  readonly readers: number
  readonly totalBytes: number
  readonly messageBytes: number
}

/**
 * A server that tells its URL, waits for its peers, publishes a flood, telling each eighth of it, and tells what that took of
 * its memory. With each message of the flood goes a number on the channel `steady`. Run it with `--expose-gc`.
 */
export async function start({ slow, readers, totalBytes, messageBytes }: FloodSettings): Promise<void> {
  const hub = createHub({ slow: (channel) => (channel === 'flood' ? slow : 'disconnect') })
  const server = createServer()
  serve(hub, server, { path: '/live' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/live`

  const closes: unknown[] = []
  const arrived = new Promise<void>((resolve) => {
    let waiting = readers
    hub.onConnect(({ channels, closed }) => {
      const [channel] = channels
      void closed.then(({ code }) => closes.push({ channel, code }))
      if (channel !== 'flood') return
      waiting -= 1
      if (waiting === 0) resolve()
    })
  })
  print({ url })
  await arrived

  const text = 'x'.repeat(messageBytes)
  const count = Math.ceil(totalBytes / messageBytes)
  // Nobody follows it: it brings the process to the size that publishing as such takes.
  for (let at = 0; at < count / 16; at += 1) await publish('nobody', at)
  const baseline = process.memoryUsage.rss()
  let peak = baseline
  for (let at = 0; at < count; at += 1) {
    await publish('flood', at)
    await hub.publish('steady', at)
    peak = Math.max(peak, process.memoryUsage.rss())
    if ((at + 1) % (count / 8) === 0) print({ published: at + 1 })
  }
  print({ baseline, growth: peak - baseline, closes, peers: hub.peers.size })

  async function publish(channel: string, at: number): Promise<void> {
    // What is held is to be measured, and not what V8 has yet to collect.
    if (at % 16 === 0) globalThis.gc?.()
    await hub.publish(channel, { at, text })
    // As an application would: the sockets have a turn after each.
    await new Promise((resolve) => setImmediate(resolve))
  }
}
