import { type LocksLike, shared } from '@eitherway/client/tabs'
import {
  createQueue,
  linked,
  type OneWayConnection,
  type ServerConnection,
  type Transport,
} from '@eitherway/core'
import { transportSuite } from '@eitherway/core/testing'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createFakeBrowser } from './fake-browser.ts'

const asked = { lastEventId: '', channels: [], signal: new AbortController().signal }

/** A server that takes links one by one. */
function startServer() {
  const accepted = createQueue<ServerConnection>()
  const arriving = accepted[Symbol.asyncIterator]()
  return {
    transport: linked((connection) => accepted.push(connection, 0), { direction: 'one-way' }),
    url: new URL('http://test/live'),
    async accepted() {
      const { value } = await arriving.next()
      if (value === undefined) throw new Error('the server takes no links any more')
      return value
    },
    async close() {
      accepted.drop()
    },
  }
}

describe('a seat that leads', () => {
  transportSuite({
    test,
    direction: 'one-way',
    network: false,
    async setup() {
      const server = startServer()
      const browser = createFakeBrowser(() => 0)
      return {
        ...server,
        // Each link is another person's, so that each leads.
        transport: {
          name: 'shared linked',
          direction: 'one-way',
          connect(url, options) {
            const { locks, broadcast } = browser.newTab()
            const mine = shared(server.transport, { user: crypto.randomUUID(), locks, broadcast })
            return mine.connect(url, options)
          },
        },
      }
    },
  })
})

describe('a seat that follows', () => {
  const others = new Map([
    ['what a client does not read is counted by the server', 'the leader reads for all'],
    [
      'the server learns the URL, the channels and the position that the client names',
      'who follows channels is let in once the server has greeted the leader, which this server does not',
    ],
    ['50 links at once each get their own', 'a follower is first told where the stream stands'],
  ])
  transportSuite({
    test: (name, run) => test.skipIf(others.has(name))(name, run),
    direction: 'one-way',
    network: false,
    async setup() {
      const server = startServer()
      const browser = createFakeBrowser(() => 0)
      return {
        ...server,
        transport: {
          name: 'shared linked',
          direction: 'one-way',
          async connect(url, options) {
            const user = crypto.randomUUID()
            const seat = () => {
              const { locks, broadcast } = browser.newTab()
              return shared(server.transport, { user, locks, broadcast })
            }
            const leader = await seat().connect(url, options)
            // As two tabs of which one is as long there as the other.
            const follower = await seat().connect(url, options)
            void follower.closed.then((close) => leader.close(close.code < 1004 ? close : undefined))
            void (async () => {
              for await (const _ of leader);
            })()
            return follower
          },
        },
      }
    },
  })
})

test('what is two-way cannot be shared, and the error says what to do instead', () => {
  expect(() => shared('ws' as 'sse', { user: '' })).toThrow(
    /^`shared` takes a one-way transport, got "ws": .*; share 'sse', and send by a client of each tab's own$/,
  )
})

test.each([undefined, {}, { user: 17 }])('without the name of a user nothing is shared: %s', (options) => {
  expect(() => shared('sse', options as { user: string })).toThrow(/^`user` must be a string that says whom/)
})

test('tabs of another user, of other channels or at another URL have a link of their own', async () => {
  const server = startServer()
  const browser = createFakeBrowser(() => 0)
  const links: OneWayConnection[] = []
  let made = 0
  const counting: Transport<'one-way'> = {
    ...server.transport,
    connect(url, options) {
      made += 1
      return server.transport.connect(url, options)
    },
  }
  async function open(user: string, channels: readonly string[], path = '/live'): Promise<number> {
    const { locks, broadcast } = browser.newTab()
    const transport = shared(counting, { user, locks, broadcast })
    const connecting = transport.connect(new URL(path, server.url), { ...asked, channels })
    // A follower of channels hears where the stream stands, which it cannot before the leader does.
    const before = made
    void server.accepted().then((link) => {
      link.write(link.encoder.encode({ type: 'hello', id: '1', heartbeatMs: 0 }))
    })
    links.push(await connecting)
    return made - before
  }
  expect(await open('u', ['a', 'b'])).toBe(1)
  expect(await open('u', ['b', 'a', 'b'])).toBe(0)
  expect(await open('v', ['a', 'b'])).toBe(1)
  expect(await open('u', ['a'])).toBe(1)
  expect(await open('u', ['a', 'b'], '/other')).toBe(1)
  for (const link of links) link.close()
})

/** Two tabs of one link: the first leads. */
async function openPair(slowly = 0) {
  const server = startServer()
  const browser = createFakeBrowser(() => 0)
  let made = 0
  const counting: Transport<'one-way'> = {
    ...server.transport,
    connect(url, options) {
      made += 1
      return server.transport.connect(url, options)
    },
  }
  async function open(): Promise<OneWayConnection> {
    const { locks, broadcast } = browser.newTab()
    const late = (name: string) => {
      const channel = broadcast(name)
      const postMessage = (said: unknown) => void setTimeout(() => channel.postMessage(said), slowly)
      return { ...channel, postMessage }
    }
    return shared(counting, { user: '', locks, broadcast: late }).connect(server.url, asked)
  }
  const leader = await open()
  const link = await server.accepted()
  return { leader, link, follower: await open(), made: () => made }
}

test('an end that forbids to come back reaches the others before the lead does', async () => {
  const { leader, follower, link, made } = await openPair(50)
  const close = { code: 4503, reason: 'not you' }
  link.close(close)
  expect([await leader.closed, await follower.closed]).toEqual([close, close])
  expect(made()).toBe(1)
})

test('a follower that does not read is let go, and the leader goes on', async () => {
  const { leader, follower, link } = await openPair()
  const frames = leader[Symbol.asyncIterator]()
  const chunk = link.encoder.encode({
    type: 'message',
    message: { id: '', event: 'flood', data: 'x'.repeat(1_000_000) },
  })
  let read = 0
  for (; read < 20; read += 1) {
    link.write(chunk)
    await frames.next()
  }
  expect(await follower.closed).toEqual({
    code: 4008,
    reason: 'more than 16777216 bytes wait to be read',
  })
  link.write(chunk)
  expect((await frames.next()).done).toBe(false)
  leader.close()
})

test('without locks a tab has a link of its own, and the console says so once', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  onTestFinished(() => warn.mockRestore())
  const server = startServer()
  const browser = createFakeBrowser(() => 0)
  const refusing: LocksLike = {
    request: () => Promise.reject(new DOMException('The request was denied.', 'SecurityError')),
  }
  const { broadcast } = browser.newTab()
  const alone = shared(server.transport, { user: '', locks: refusing, broadcast })
  const links = [await alone.connect(server.url, asked), await alone.connect(server.url, asked)]
  const ends = [await server.accepted(), await server.accepted()]
  expect(warn.mock.calls.flat()).toEqual([
    'eitherway: this tab has a link of its own and shares none: there is no leave to speak to other tabs in this page',
  ])
  for (const link of links) link.close()
  await Promise.all(ends.map(({ closed }) => closed))
})
