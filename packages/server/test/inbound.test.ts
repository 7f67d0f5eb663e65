import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ConnectOptions, createMessage, linked, type TwoWayConnection } from '@eitherway/core'
import { createHub, type Hub, memoryBroker } from '@eitherway/server'
import { ws } from '@eitherway/ws/client'
import { createListener } from '@eitherway/ws/server'
import { describe, expect, onTestFinished, test } from 'vitest'

const options = (channels: string[] = [], lastEventId = '') => ({
  channels,
  lastEventId,
  signal: new AbortController().signal,
})

/** A transport that tells nothing, whose messages the hub waits for, and one that tells of each. */
const wires: Record<string, (hub: Hub, asked?: ConnectOptions) => Promise<TwoWayConnection>> = {
  linked: (hub, asked = options()) =>
    linked(hub.accept, { direction: 'two-way' }).connect(new URL('http://test/'), asked),
  async ws(hub, asked = options()) {
    const server = createServer()
    server.on(
      'upgrade',
      createListener(() => hub.accept),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return ws().connect(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`), asked)
  },
}

const say = async (connection: TwoWayConnection, ...all: unknown[]) => {
  for (const data of all) await connection.send(createMessage('said', JSON.stringify(data)))
}

describe.each(Object.entries(wires))('what a peer sends over %s', (_, open) => {
  test('while it is asked who it is waits until it is let in, and is heard in order', async () => {
    let letIn: () => void = () => undefined
    const asked = new Promise<void>((resolve) => {
      letIn = resolve
    })
    const order: unknown[] = []
    const hub = createHub({
      authorize: async () => {
        await asked
        return { context: undefined }
      },
    })
    onTestFinished(() => hub.close())
    hub.onConnect(() => order.push('connected'))
    const last = new Promise<void>((resolve) => {
      hub.onMessage(({ data }) => {
        order.push(data)
        if (data === 3) resolve()
      })
    })
    const connection = await open(hub)
    await say(connection, 1, 2)
    letIn()
    await say(connection, 3)
    await last
    expect(order).toEqual(['connected', 1, 2, 3])
  })

  test('while it is given what it missed waits until it is greeted', async () => {
    let give: () => void = () => undefined
    const given = new Promise<void>((resolve) => {
      give = resolve
    })
    const broker = memoryBroker()
    const history: typeof broker.history = async (...asked) => {
      await given
      return broker.history(...asked)
    }
    const order: unknown[] = []
    const hub = createHub({ broker: { ...broker, history } })
    const other = createHub()
    onTestFinished(async () => {
      await hub.close()
      await other.close()
    })
    const id = await hub.publish('a', 'missed')
    hub.onConnect(() => order.push('connected'))
    const heard = new Promise<void>((resolve) => {
      hub.onMessage(({ data }) => {
        order.push(data)
        resolve()
      })
    })
    await say(await open(hub, options(['a'], id)), 1)
    // What was sent has arrived by the time that another link is made and has said something.
    const later = new Promise<void>((resolve) => other.onMessage(() => resolve()))
    await say(await open(other), 0)
    await later
    order.push('given')
    give()
    await heard
    expect(order).toEqual(['given', 'connected', 1])
  })

  test('is handled one after the other, after a rest as well, and a failure is told and ends nothing', async () => {
    const order: string[] = []
    const errors: unknown[] = []
    const hub = createHub({ onError: (error) => errors.push(error) })
    onTestFinished(() => hub.close())
    const fault = new Error('mine')
    let heard: (data: unknown) => void = () => undefined
    hub.onMessage(async ({ data }) => {
      order.push(`begin ${data}`)
      await new Promise((resolve) => setImmediate(resolve))
      order.push(`end ${data}`)
      heard(data)
      if (data === 2) throw fault
    })
    const hearing = (last: number) =>
      new Promise<void>((resolve) => {
        heard = (data) => data === last && resolve()
      })
    const connection = await open(hub)
    let done = hearing(2)
    await say(connection, 1, 2)
    await done
    done = hearing(4)
    await say(connection, 3, 4)
    await done
    expect(order).toEqual([1, 2, 3, 4].flatMap((data) => [`begin ${data}`, `end ${data}`]))
    expect(errors).toEqual([fault])
  })

  test('or not: who awaits its end finds it gone from the hub', async () => {
    const hub = createHub()
    onTestFinished(() => hub.close())
    const found = new Promise<unknown>((resolve) => {
      hub.onConnect(async (peer) => {
        await peer.closed
        resolve([hub.peers.has(peer), peer.signal.aborted, hub.stats().peers])
      })
    })
    const connection = await open(hub)
    connection.close()
    expect(await found).toEqual([false, true, 0])
  })

  test('before it leaves is heard all the same', async () => {
    const hub = createHub()
    onTestFinished(() => hub.close())
    const heard: unknown[] = []
    const all = new Promise<void>((resolve) => {
      hub.onMessage(async ({ data }, peer) => {
        await peer.closed
        heard.push(data)
        if (data === 3) resolve()
      })
    })
    const connection = await open(hub)
    await say(connection, 1, 2, 3)
    connection.close()
    await all
    expect(heard).toEqual([1, 2, 3])
  })

  test('behind what is no message of the format is not heard', async () => {
    const hub = createHub()
    onTestFinished(() => hub.close())
    const heard: unknown[] = []
    hub.onMessage(({ data }) => heard.push(data))
    const connection = await open(hub)
    await say(connection, 1)
    // What comes behind may find the link closed.
    const refused = await Promise.allSettled(
      ['{', '2', '3'].map((data) => connection.send(createMessage('x', data))),
    )
    expect((await connection.closed).code).toBe(1007)
    expect(refused.length).toBe(3)
    expect(heard).toEqual([1])
    expect(hub.stats()).toMatchObject({ received: 2, errors: 0 })
  })
})
