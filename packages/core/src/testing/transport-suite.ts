import { type Close, closeCode } from '../close.ts'
import { ConnectError } from '../errors.ts'
import type { Frame } from '../frame.ts'
import { createMessage, type Message } from '../message.ts'
import { tokenProtocol } from '../token.ts'
import type { Connection, ConnectOptions, Direction, ServerConnection, Transport } from '../transport.ts'
import { callSamples, frameSamples, messageSamples, noise } from './samples.ts'
import { assert, assertEqual, errorOf, type TestFunction, within } from './suite.ts'

/** A server with a transport that reaches it, made anew for each test. */
export interface TransportSetup<D extends Direction = Direction> {
  readonly transport: Transport<D>
  readonly url: URL
  /** The server's end of the next link. */
  accepted(): Promise<ServerConnection>
  /** What only a transport over a network has: see {@link TransportSuite.network}. */
  readonly network?: {
    /** Breaks every link without a goodbye. */
    cut(): void
    /** A URL at which nobody listens. */
    readonly nowhere: URL
  }
  /** Ends the server and what is left of its links. */
  close(): Promise<void>
}

/** What {@link transportSuite} is told. */
export interface TransportSuite<D extends Direction = Direction> {
  readonly test: TestFunction
  readonly direction: D
  /** Whether there is a network in between, which can be cut and may lead nowhere. Its setup then has `network`. */
  readonly network: boolean
  /** Whether the wire carries a token. @defaultValue true */
  readonly token?: boolean
  /** Whether a client that sends faster than it is read can be held back. A socket that no one can pause is closed instead. @defaultValue true */
  readonly holdsBack?: boolean
  /** Whether a client that nobody reads stops taking what the server sends. One that cannot leaves with 4008 instead. @defaultValue true */
  readonly pauses?: boolean
  /** Whether a position may have letters beyond ASCII: WebKit encodes those of a header twice. @defaultValue true */
  readonly anyPosition?: boolean
  /** How many links a client may have at once: a browser has six to an origin over HTTP/1.1. @defaultValue 50 */
  readonly maxLinks?: number
  setup(): Promise<TransportSetup<D>>
}

/**
 * Holds a transport, both of its ends, to the contract. A third party runs it against its own:
 *
 * @example
 * ```ts
 * transportSuite({ test, direction: 'two-way', network: true, setup: () => startMyServer() })
 * ```
 */
export function transportSuite<D extends Direction>({
  test,
  direction,
  network,
  token = true,
  holdsBack = true,
  pauses = true,
  anyPosition = true,
  maxLinks = 50,
  setup,
}: TransportSuite<D>): void {
  /** A test with a server, and with links that it makes. */
  const check: Check<D> = (name, run) => {
    test(name, async () => {
      const given = await setup()
      try {
        await run(createBench(given))
      } finally {
        await within(given.close(), 'closing the server')
      }
    })
  }

  check('what the server writes arrives in order and unharmed, text and bytes', async ({ link }) => {
    const { client, server } = await link()
    // A `close` frame is the transport's own way to end; it never comes out of the iteration.
    const sent = [
      ...frameSamples.filter(({ type }) => type !== 'close'),
      ...messageSamples.map(([, message]) => frameOf(message)),
    ]
    for (const frame of sent) server.write(server.encoder.encode(frame))
    const wanted = sent.filter(countable)
    assertEqual(await takeFrom(client, wanted.length, countable), wanted, 'what arrived')
  })

  check('what was written before anybody reads waits to be read', async ({ link }) => {
    const { client, server } = await link()
    const sent = numbered(200)
    for (const message of sent) server.write(server.encoder.encode(frameOf(message)))
    assertEqual(await takeMessages(client, sent.length), sent, 'what arrived')
  })

  check('one encoding serves every connection', async ({ link }) => {
    const [one, other] = [await link(), await link()]
    assert(one.server.encoder === other.server.encoder, 'two connections of a kind share one encoder')
    const message = createMessage('shared', 'x', '1')
    const chunk = one.server.encoder.encode(frameOf(message))
    one.server.write(chunk)
    other.server.write(chunk)
    assertEqual(await takeMessages(one.client, 1), [message], 'the first')
    assertEqual(await takeMessages(other.client, 1), [message], 'the other')
  })

  check(
    'the server learns the URL, the channels and the position that the client names',
    async ({ url, link }) => {
      const asked = new URL(url)
      asked.searchParams.set('room', 'a b&c=ü')
      const lastEventId = 'k3f9x2-42'
      const { server } = await link({ lastEventId, channels: ['prices', 'naïve €😀', 'a&b=c'] }, asked)
      assertEqual(server.lastEventId, lastEventId, 'lastEventId')
      assertEqual(server.url.pathname, url.pathname, 'the path')
      assertEqual(server.url.searchParams.get('room'), 'a b&c=ü', 'a parameter of the application')
      assertEqual(server.url.searchParams.getAll('channel'), ['prices', 'naïve €😀', 'a&b=c'], 'the channels')
      assertEqual(asked.searchParams.has('channel'), false, "the caller's URL is left as it was")
    },
  )

  if (anyPosition) {
    check('a position with letters beyond ASCII arrives as it was', async ({ link }) => {
      const lastEventId = 'k3f9x2-42 é €'
      const { server } = await link({ lastEventId })
      assertEqual(server.lastEventId, lastEventId, 'lastEventId')
    })
  }

  check('without a position the server is told none', async ({ link }) => {
    const { server } = await link()
    assertEqual(server.lastEventId, '', 'lastEventId')
    assert(server.headers instanceof Headers, 'headers are Headers')
  })

  if (token) {
    check(
      'a token arrives as it was, and neither in the URL nor among the subprotocols',
      async ({ link }) => {
        // Every character that one may have, and so each that Base64url writes otherwise.
        const every = String.fromCharCode(...Array.from({ length: 94 }, (_, at) => 0x21 + at))
        for (const shown of ['t', 'to', 'eyJhbGciOi.J9.s-_~+/==', every, `???>>>${'x'.repeat(4000)}`]) {
          const { server } = await link({ token: shown })
          assertEqual(server.token, shown, 'the token')
          const unsaid = [shown, btoa(shown), tokenProtocol(shown)]
          const told = [decodeURIComponent(server.url.href), server.url.href]
          for (const [name, value] of server.headers) if (name !== 'authorization') told.push(value)
          // A text of one letter is in any.
          if (shown.length > 2) {
            assert(
              !told.some((text) => unsaid.some((part) => text.includes(part))),
              'the token is nowhere else',
            )
          }
          assert(!told.some((text) => text.includes('bearer.')), 'no subprotocol carries it any more')
        }
      },
    )

    check('without a token the server is told none', async ({ link }) => {
      assertEqual((await link()).server.token, undefined, 'the token')
    })

    check('a token that no wire carries is a TypeError without it', async ({ transport, url }) => {
      for (const secret of [
        'secret word',
        'secret\r\nX: y',
        'secrét',
        'secret\0',
        `secret${'x'.repeat(8192)}`,
        '',
      ]) {
        const error = await errorOf(
          () => transport.connect(url, { ...defaults(), token: secret }),
          `connecting with ${JSON.stringify(secret.slice(0, 20))}`,
        )
        assert(error instanceof TypeError, `a TypeError, got ${error.name}: ${error.message}`)
        assert(!/secr|word|xx/.test(error.message), `no part of the token in ${error.message}`)
      }
    })
  }

  check(
    'both ends say their direction, and only a two-way client has `send`',
    async ({ transport, link }) => {
      const { client, server } = await link()
      assertEqual(transport.direction, direction, "the transport's direction")
      assertEqual(client.direction, direction, "the client's direction")
      assertEqual(server.direction, direction, "the server's direction")
      assertEqual('send' in client, direction === 'two-way', '`send` in the client')
      assertEqual('messages' in server, direction === 'two-way', '`messages` in the server')
    },
  )

  check('when the server closes, the client learns the code and the reason', async ({ link }) => {
    const { client, server } = await link()
    const close = { code: 4321, reason: 'because — ü' }
    server.write(server.encoder.encode(frameOf(createMessage('last', 'x', '1'))))
    server.close(close)
    const frames = await within(drain(client), 'the end of the iteration')
    assertEqual(
      frames.filter(countable),
      [frameOf(createMessage('last', 'x', '1'))],
      'what came before the end',
    )
    assertEqual(await within(client.closed, "the client's `closed`"), close, "the client's `closed`")
    assertEqual(await within(server.closed, "the server's `closed`"), close, "the server's `closed`")
  })

  check('a close without words is 1000', async ({ link }) => {
    const { client, server } = await link()
    server.close()
    await within(drain(client), 'the end of the iteration')
    assertEqual(await within(client.closed, '`closed`'), { code: 1000, reason: '' }, '`closed`')
  })

  check('when the client closes, the server learns of it', async ({ link }) => {
    const { client, server } = await link()
    client.close()
    await within(server.closed, "the server's `closed`")
    assertEqual(await client.closed, { code: 1000, reason: '' }, "the client's `closed`")
  })

  check('after `close` nothing comes out, even of what has arrived already', async ({ link }) => {
    const { client, server } = await link()
    for (const message of numbered(50)) server.write(server.encoder.encode(frameOf(message)))
    const seen: Frame[] = []
    for await (const frame of client) {
      if (!countable(frame)) continue
      seen.push(frame)
      if (seen.length === 3) client.close()
    }
    assertEqual(seen, numbered(3).map(frameOf), 'what came out')
  })

  check('after `close` nothing comes out, also where the server ended the link already', async ({ link }) => {
    const { client, server } = await link()
    for (const message of numbered(50)) server.write(server.encoder.encode(frameOf(message)))
    server.close()
    const seen: Frame[] = []
    for await (const frame of client) {
      if (!countable(frame)) continue
      seen.push(frame)
      if (seen.length === 3) client.close()
    }
    assertEqual(seen, numbered(3).map(frameOf), 'what came out')
  })

  check('reads that are asked for at once are answered in order, and after the end', async ({ link }) => {
    const { client, server } = await link()
    const frames = client[Symbol.asyncIterator]()
    const reads = Array.from({ length: 40 }, () => frames.next())
    for (const message of numbered(20)) server.write(server.encoder.encode(frameOf(message)))
    server.close()
    const results = await within(Promise.all(reads), 'all answers')
    const read = results.flatMap(({ done, value }) => (done || !countable(value) ? [] : [value]))
    assertEqual(read, numbered(20).map(frameOf), 'what was read')
    assertEqual((await within(frames.next(), 'a read after the end')).done, true, 'done')
  })

  check('closing twice, from either end, keeps the first reason', async ({ link }) => {
    const { client, server } = await link()
    client.close({ code: 4001, reason: 'first' })
    client.close({ code: 4002, reason: 'second' })
    assertEqual(await client.closed, { code: 4001, reason: 'first' }, "the client's `closed`")
    await within(server.closed, "the server's `closed`")
    const first = await server.closed
    server.close({ code: 4003, reason: 'third' })
    assertEqual(await server.closed, first, "the server's `closed`")
  })

  check('an owner is told the end, once, after the call that ended it', async ({ link }) => {
    const { client, server } = await link()
    const close = { code: 4321, reason: 'enough' }
    const told = ownedBy(server)
    if (told === undefined) return
    server.close(close)
    assertEqual(told.closes, [], 'what was told within the call')
    await within(told.ended, 'the end')
    server.close()
    client.close()
    await within(drain(client), 'the end of the iteration')
    assertEqual(told.closes, [close], 'what was told')
    assertEqual(await within(server.closed, '`closed`'), close, '`closed`')
  })

  check('an owner who comes after the end is told it as well', async ({ link }) => {
    const { client, server } = await link()
    client.close({ code: 4444, reason: 'done' })
    const close = await within(server.closed, "the server's `closed`")
    const told = ownedBy(server)
    if (told === undefined) return
    await within(told.ended, 'the end')
    assertEqual(told.closes, [close], 'what was told')
  })

  check('a close that may not be sent is refused, and the link goes on', async ({ link }) => {
    const { client, server } = await link()
    const wrong: readonly Close[] = [
      { code: 1005, reason: '' },
      { code: 999, reason: '' },
      { code: 5000, reason: '' },
      { code: 4000.5, reason: '' },
      { code: 4000, reason: 'x'.repeat(124) },
      { code: 4000, reason: new Uint8Array(9) as unknown as string },
    ]
    for (const close of wrong) {
      for (const end of [client, server]) {
        const error = await errorOf(() => end.close(close), `close ${close.code}`)
        assert(error instanceof TypeError, `close ${close.code} is a TypeError, got ${error.name}`)
      }
    }
    server.write(server.encoder.encode(frameOf(createMessage('still', 'here', '1'))))
    assertEqual(
      await takeMessages(client, 1),
      [createMessage('still', 'here', '1')],
      'what arrived afterwards',
    )
  })

  check('writing after the end does nothing', async ({ link }) => {
    const { client, server } = await link()
    client.close()
    await within(server.closed, "the server's `closed`")
    assertEqual(server.write(server.encoder.encode({ type: 'heartbeat' })), 0, 'bytes queued after the end')
    await within(server.drained(), '`drained` after the end')
  })

  check('the bytes that left are counted', async ({ link }) => {
    const { client, server } = await link()
    const before = server.bytesWritten
    server.write(server.encoder.encode(frameOf(createMessage('count', noise(10_000), '1'))))
    await takeMessages(client, 1)
    const grown = server.bytesWritten - before
    // A wire that compresses makes a fifth less even of this.
    assert(grown >= 8_000 && grown < 12_000, `10,000 bytes of data left, and ${grown} were counted`)
  })

  check('an aborted signal refuses to connect', async ({ transport, url }) => {
    const reason = new Error('not today')
    const options = { ...defaults(), signal: AbortSignal.abort(reason) }
    assertEqual(await errorOf(() => transport.connect(url, options), 'connect'), reason, 'the rejection')
  })

  check('a signal that aborts while connecting ends the wait', async ({ transport, url }) => {
    const abort = new AbortController()
    const reason = new Error('changed my mind')
    const connecting = transport.connect(url, { ...defaults(), signal: abort.signal })
    abort.abort(reason)
    assertEqual(await errorOf(() => within(connecting, 'the rejection'), 'connect'), reason, 'the rejection')
  })

  check('a signal that aborts later ends the link', async ({ link }) => {
    const abort = new AbortController()
    const { client, server } = await link({ signal: abort.signal })
    const end = drain(client)
    abort.abort()
    assertEqual(
      (await within(client.closed, "the client's `closed`")).code,
      closeCode.normal,
      "the client's code",
    )
    await within(end, 'the end of the iteration')
    await within(server.closed, "the server's `closed`")
  })

  check('of a large message, what comes before it is whole is no frame', async ({ link }) => {
    const { client, server } = await link()
    const small = createMessage('small', 'x', '1')
    const large = createMessage('large', 'x'.repeat(1_000_000), '2')
    for (const message of [small, large]) server.write(server.encoder.encode(frameOf(message)))
    await takeMessages(client, 1)
    // Signs of life, as long as they say that they are nothing more.
    const isWhole = (frame: Frame) => frame.type !== 'heartbeat' || frame.partial !== true
    assertEqual(await takeFrom(client, 1, isWhole), [frameOf(large)], 'the first whole frame')
  })

  check('a message over the limit ends the link with 1009', async ({ link }) => {
    const { client, server } = await link({ limits: { maxMessageBytes: 1_000 } })
    server.write(server.encoder.encode(frameOf(createMessage('fits', 'x'.repeat(1_000), '1'))))
    assertEqual((await takeMessages(client, 1)).length, 1, 'a message of exactly the limit')
    const rest = drain(client)
    server.write(server.encoder.encode(frameOf(createMessage('big', 'x'.repeat(20_000), '2'))))
    assertEqual((await within(client.closed, '`closed`')).code, 1009, 'the code')
    assertEqual((await rest).filter(countable), [], 'what came of it')
  })

  check('what arrived before a message over the limit is still read', async ({ link }) => {
    const { client, server } = await link({ limits: { maxMessageBytes: 1_000 } })
    const good = numbered(3)
    for (const message of good) server.write(server.encoder.encode(frameOf(message)))
    server.write(server.encoder.encode(frameOf(createMessage('big', 'x'.repeat(20_000), '2'))))
    const frames = await within(drain(client), 'the end of the iteration')
    assertEqual(frames.filter(countable), good.map(frameOf), 'what came before the end')
    assertEqual((await client.closed).code, 1009, 'the code')
  })

  check('an iteration that waits can be left', async ({ link }) => {
    const { client } = await link()
    const iterator = client[Symbol.asyncIterator]()
    const next = async (): Promise<IteratorResult<Frame>> => {
      const result = await iterator.next()
      return result.done || countable(result.value) ? result : next()
    }
    const waiting = next()
    client.close()
    assertEqual((await within(waiting, 'what waited')).done, true, 'what waited is done')
    await within<unknown>(iterator.return?.() ?? Promise.resolve(), 'leaving')
  })

  check('links of one transport know nothing of each other', async ({ link }) => {
    const [one, other] = [await link(), await link()]
    one.client.close()
    await within(one.server.closed, 'the end of the first')
    other.server.write(other.server.encoder.encode(frameOf(createMessage('still', 'here', '1'))))
    assertEqual(
      await takeMessages(other.client, 1),
      [createMessage('still', 'here', '1')],
      'what the other received',
    )
  })

  check(`${maxLinks} links at once each get their own`, async ({ link }) => {
    const links = await Promise.all(
      Array.from({ length: maxLinks }, (_, at) => link({ lastEventId: `e-${at}` })),
    )
    for (const { server } of links) {
      server.write(server.encoder.encode(frameOf(createMessage('yours', server.lastEventId, '1'))))
    }
    for (const [at, { client }] of links.entries()) {
      const [message] = await takeMessages(client, 1)
      assertEqual(message?.data, `e-${at}`, `what link ${at} received`)
    }
  })

  if (pauses) checkPausing(check)
  else checkLeaving(check)
  if (network) checkNetwork(check)
  if (direction === 'two-way') checkTwoWay(check)
  if (direction === 'two-way' && holdsBack) checkHoldingBack(check)
}

type Check<D extends Direction> = (name: string, run: (bench: Bench<D>) => Promise<void>) => void

function checkPausing<D extends Direction>(check: Check<D>): void {
  check('what a client does not read is counted by the server', async ({ link }) => {
    const { server } = await link()
    const chunk = floodOf(server)
    let queued = 0
    // The sockets in between take a few megabytes; what they do not take waits here.
    for (let count = 0; count < 1_000 && queued < 2_000_000; count += 1) queued = server.write(chunk)
    assert(
      queued >= 2_000_000,
      `60 MB were written to a client that reads nothing, and ${queued} bytes are said to wait`,
    )
  })
}

/** Not what is queued: a platform that reads on does so as fast as the server writes, or not quite, as chance has it. */
function checkLeaving<D extends Direction>(check: Check<D>): void {
  check('a client that reads nothing and cannot pause leaves as a slow reader', async ({ link }) => {
    const { client, server } = await link()
    const chunk = floodOf(server)
    // More than the 16 MiB that wait at most for whoever reads.
    for (let count = 0; count < 400; count += 1) {
      server.write(chunk)
      await within(server.drained(), 'a client that takes what is written, or leaves')
    }
    assertEqual((await within(client.closed, "the client's `closed`")).code, closeCode.slowReader, 'its code')
    assertEqual(
      (await within(server.closed, "the server's `closed`")).code,
      closeCode.slowReader,
      "the server's code",
    )
  })
}

/** A message of 60 kB that no wire compresses, to be written again and again. */
const floodOf = ({ encoder }: ServerConnection) =>
  encoder.encode(frameOf(createMessage('flood', noise(60_000), '1')))

function checkNetwork<D extends Direction>(check: Check<D>): void {
  check('a cut link is an end that invites to come back', async (bench) => {
    const { client, server } = await bench.link()
    const end = drain(client)
    networkOf(bench).cut()
    assertEqual(
      (await within(client.closed, "the client's `closed`")).code,
      closeCode.abnormal,
      "the client's code",
    )
    await within(end, 'the end of the iteration')
    assertEqual(
      (await within(server.closed, "the server's `closed`")).code,
      closeCode.abnormal,
      "the server's code",
    )
  })

  check('where nobody listens, connecting fails and may be tried again', async (bench) => {
    const { nowhere } = networkOf(bench)
    const error = await errorOf(
      () => within(bench.transport.connect(nowhere, defaults()), 'the refusal'),
      'connect',
    )
    assert(error instanceof ConnectError, `a ConnectError, got ${error.name}: ${error.message}`)
    assert(error.retryable, `it may be tried again: ${error.message}`)
    assert(error.message.includes(nowhere.host), `the error names ${nowhere.host}: ${error.message}`)
  })
}

function checkTwoWay<D extends Direction>(check: Check<D>): void {
  check('what the client sends arrives in order and unharmed, text and bytes', async ({ link }) => {
    const { client, server } = twoWay(await link())
    const sent = messageSamples.map(([, message]) => message)
    const received = takeFrom(server.messages, sent.length)
    for (const message of sent) await within(client.send(message), 'a send')
    assertEqual(await received, sent, 'what arrived')
  })

  check('words of calls cross unharmed, both ways', async ({ link }) => {
    const { client, server } = twoWay(await link())
    const calls = callSamples.map(([, message]) => message)
    const asked = calls.filter(({ event }) => /^~(request|abort):/.test(event))
    const answers = calls.filter(({ event }) => /^~(reply|failure):/.test(event))
    const received = takeFrom(server.messages, asked.length)
    for (const message of asked) await within(client.send(message), 'a send')
    assertEqual(await received, asked, 'what the server was asked')
    for (const message of answers) server.write(server.encoder.encode(frameOf(message)))
    assertEqual(await takeMessages(client, answers.length), answers, 'what the client was answered')
  })

  check('what was sent before the server reads waits to be read', async ({ link }) => {
    const { client, server } = twoWay(await link())
    for (const message of numbered(20)) await within(client.send(message), 'a send')
    assertEqual(await takeFrom(server.messages, 20), numbered(20), 'what arrived')
  })

  check('an owner is told of each message, in order', async ({ link }) => {
    const { client, server } = twoWay(await link())
    const told = ownedBy(server)
    if (told === undefined) return
    for (const message of numbered(20)) await within(client.send(message), 'a send')
    client.close()
    await within(told.ended, 'the end')
    assertEqual(told.messages, numbered(20), 'what arrived')
  })

  check('an owner is told of messages that came before it, and after them the end', async ({ link }) => {
    const { client, server } = twoWay(await link())
    for (const message of numbered(5)) await within(client.send(message), 'a send')
    client.close()
    await within(server.closed, "the server's `closed`")
    const told = ownedBy(server)
    if (told === undefined) return
    assertEqual([told.messages, told.closes], [numbered(5), []], 'what was told at once')
    await within(told.ended, 'the end')
  })

  check('sending over an ended link is refused', async ({ link }) => {
    const { client, server } = twoWay(await link())
    server.close()
    await within(drain(client), 'the end of the iteration')
    const error = await errorOf(() => client.send(createMessage('late', 'x')), 'send')
    assert(error instanceof ConnectError, `a ConnectError, got ${error.name}: ${error.message}`)
  })

  check('when the client closes, the server has read all that was sent before', async ({ link }) => {
    const { client, server } = twoWay(await link())
    for (const message of numbered(10)) await client.send(message)
    client.close({ code: 4444, reason: 'done' })
    const received: Message[] = []
    for await (const message of server.messages) received.push(message)
    assertEqual(received, numbered(10), 'what arrived')
    assertEqual(
      await within(server.closed, "the server's `closed`"),
      { code: 4444, reason: 'done' },
      "the server's `closed`",
    )
  })
}

function checkHoldingBack<D extends Direction>(check: Check<D>): void {
  check('a server that does not read holds the sender back, and lets it go on', async ({ link }) => {
    const { client, server } = twoWay(await link())
    const total = 600
    let sent = 0
    const sending = (async () => {
      for (let at = 0; at < total; at += 1) {
        await client.send(createMessage('flood', 'x'.repeat(60_000), `e-${at}`))
        sent += 1
      }
    })()
    const [first] = await takeFrom(server.messages, 1)
    assertEqual(first?.id, 'e-0', 'the first')
    assert(sent < total, '36 MB were taken from a sender while one message was read')
    const rest = await takeFrom(server.messages, total - 1)
    await within(sending, 'the sender', 30_000)
    assertEqual(
      rest.map(({ id }) => id),
      Array.from({ length: total - 1 }, (_, at) => `e-${at + 1}`),
      'the rest',
    )
  })
}

function twoWay({ client, server }: { client: Connection; server: ServerConnection }) {
  assert(client.direction === 'two-way' && server.direction === 'two-way', 'a two-way link')
  return { client, server }
}

/** Attaches an owner, which writes down what it is told. @returns `undefined` where the transport tells nobody. */
function ownedBy(server: ServerConnection) {
  if (server.attach === undefined) return undefined
  const closes: Close[] = []
  const messages: Message[] = []
  const ended = new Promise<void>((resolve) => {
    server.attach?.({
      ended(close) {
        closes.push(close)
        resolve()
      },
      arrived(waiting) {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) messages.push(next)
      },
    })
  })
  return { closes, messages, ended }
}

function networkOf<D extends Direction>({ network }: Bench<D>) {
  assert(network !== undefined, 'the setup of a transport over a network has `network`')
  return network
}

const defaults = (): ConnectOptions => ({
  lastEventId: '',
  channels: [],
  signal: new AbortController().signal,
})

interface Link<D extends Direction> {
  readonly client: Connection<D> & Connection
  readonly server: ServerConnection
}

interface Bench<D extends Direction> extends Omit<TransportSetup<D>, 'close' | 'accepted'> {
  link(options?: Partial<ConnectOptions>, url?: URL): Promise<Link<D>>
}

function createBench<D extends Direction>(setup: TransportSetup<D>): Bench<D> {
  const { transport, url } = setup
  return {
    ...setup,
    async link(options, at = url) {
      const accepted = setup.accepted()
      const client = (await within(
        transport.connect(at, { ...defaults(), ...options }),
        'connecting',
      )) as Link<D>['client']
      return { client, server: await within(accepted, 'the server to accept') }
    },
  }
}

const frameOf = (message: Message): Frame => ({ type: 'message', message })

/** A transport may add heartbeats of its own as signs of life, so they do not count. */
const countable = ({ type }: Frame): boolean => type !== 'heartbeat'

const numbered = (count: number): Message[] =>
  Array.from({ length: count }, (_, at) => createMessage('numbered', `message ${at}`, `e-${at}`))

async function takeMessages(client: Connection, count: number): Promise<Message[]> {
  const frames = await takeFrom(client, count, countable)
  return frames.map((frame) => {
    assert(frame.type === 'message', `a message, got ${frame.type}`)
    return frame.message
  })
}

/**
 * The next items of an iteration, by hand: leaving a `for await` would end the iteration, and what follows is still wanted.
 */
async function takeFrom<T>(items: AsyncIterable<T>, count: number, which: (item: T) => boolean = () => true) {
  const iterator = iteratorOf(items)
  const taken: T[] = []
  while (taken.length < count) {
    const { done, value } = await within(iterator.next(), `item ${taken.length + 1} of ${count}`)
    if (done) throw new Error(`the iteration ended after ${taken.length} of ${count}`)
    if (which(value)) taken.push(value)
  }
  return taken
}

async function drain(client: Connection): Promise<Frame[]> {
  const frames: Frame[] = []
  const iterator = iteratorOf(client)
  for (;;) {
    const { done, value } = await iterator.next()
    if (done) return frames
    frames.push(value)
  }
}

/** A connection is iterated once, so whoever takes more of it goes on with the same iterator. */
function iteratorOf<T>(items: AsyncIterable<T>): AsyncIterator<T> {
  const known = iterators.get(items) as AsyncIterator<T> | undefined
  if (known !== undefined) return known
  const iterator = items[Symbol.asyncIterator]()
  iterators.set(items, iterator)
  return iterator
}
const iterators = new WeakMap<object, AsyncIterator<unknown>>()
