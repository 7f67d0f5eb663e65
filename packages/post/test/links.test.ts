import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  type Accept,
  type Answer,
  type Encoder,
  linked,
  type Message,
  type Queue,
  type Relay,
  type ServerConnection,
} from '@eitherway/core'
import { describe, expect, test, vi } from 'vitest'
import { type Budget, readBody } from '../src/body.ts'
import { createLinks, type Links, type LinksOptions, type Post } from '../src/links.ts'

const token = 'Bearer mine'
const fine = 'event: e\ndata: 1\n\n'

async function* bytesOf(text: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(text)
}

/** As a network has it. */
async function* piecesOf(text: string): AsyncIterable<Uint8Array> {
  for (let at = 0; at < text.length; at += 65_536) yield new TextEncoder().encode(text.slice(at, at + 65_536))
}

const post = (key: string, more: Partial<Post> = {}): Post => ({
  key,
  seq: '1',
  authorization: token,
  contentType: 'text/event-stream',
  contentEncoding: undefined,
  contentLength: '20',
  body: bytesOf(fine),
  ...more,
})

/** The server's end of a stream that nobody reads. */
async function streamOf(accept: Accept): Promise<ServerConnection> {
  const { promise, resolve } = deferred<ServerConnection>()
  const transport = linked((down) => resolve(down), { direction: 'one-way' })
  await transport.connect(new URL('http://test/live'), {
    lastEventId: '',
    channels: [],
    signal: new AbortController().signal,
  })
  const down = await promise
  accept(down)
  return down
}

function deferred<T>() {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** A link of these, both ways. */
type TwoWay = Extract<ServerConnection, { direction: 'two-way' }>

async function open(links: Links): Promise<{ key: string; link: TwoWay }> {
  const { promise, resolve } = deferred<ServerConnection>()
  const { key, accept } = await links.open(resolve, token)
  await streamOf(accept)
  const link = await promise
  if (link.direction !== 'two-way') throw new Error('a link both ways')
  return { key, link }
}

async function start(options: LinksOptions = {}) {
  const links = createLinks(options)
  return { links, ...(await open(links)) }
}

/** All that a link has taken, once its client has left. */
async function readAll(links: Links, key: string, link: TwoWay): Promise<Message[]> {
  await links.receive(post(key, { body: bytesOf('event: ~close\ndata: {"code":1000,"reason":""}\n\n') }))
  const messages: Message[] = []
  for await (const message of link.messages) messages.push(message)
  return messages
}

test('a body is taken, once, and what it holds is read in order', async () => {
  const { links, key, link } = await start()
  const body =
    'id: 1\nevent: e\ndata: one\ndata: two\n\n: a comment\n\ndata: data:application/octet-stream;base64,AAE=\n\n'
  expect(await links.receive(post(key, { body: bytesOf(body) }))).toEqual({ seq: 2 })
  expect(await links.receive(post(key, { body: bytesOf(body) }))).toEqual({ seq: 2 })
  expect(await links.receive(post(key, { seq: '2', body: bytesOf(fine + fine) }))).toEqual({ seq: 3 })
  expect(await links.receive(post(key, { seq: '4', body: bytesOf('') }))).toEqual({ seq: 3 })
  expect(await links.receive(post(key, { seq: '5', body: bytesOf('') }))).toMatchObject({ status: 409 })
  expect(await readAll(links, key, link)).toEqual([
    { id: '1', event: 'e', data: 'one\ntwo' },
    { id: '', event: 'message', data: Uint8Array.of(0, 1) },
    { id: '', event: 'e', data: '1' },
  ])
})

test('of two bodies at once neither is taken twice or falls into the other', async () => {
  const { links, key, link } = await start()
  const answers = await Promise.all(
    ['1', '1', '3', '3'].map((seq) => links.receive(post(key, { seq, body: bytesOf(fine + fine) }))),
  )
  expect(answers).toEqual([{ seq: 2 }, { seq: 2 }, { seq: 4 }, { seq: 4 }])
  expect(await readAll(links, key, link)).toHaveLength(4)
})

describe('who may post', () => {
  test.each([
    ['no token', undefined],
    ['another token', 'Bearer theirs'],
    ['one of another case', 'Bearer Mine'],
    ['one letter more', 'Bearer mine '],
  ])('not one with the key and %s, who learns no more than with no key', async (_, authorization) => {
    const { links, key } = await start()
    const wrong = await links.receive(post(key, { authorization }))
    expect(wrong).toMatchObject({ status: 404 })
    expect(wrong).toEqual(await links.receive(post(`${key.slice(0, 17)}${'A'.repeat(22)}`)))
    expect(JSON.stringify(wrong)).not.toContain(key)
  })

  test('nobody once the link has ended', async () => {
    const { links, key, link } = await start()
    link.close()
    await link.closed
    expect(await links.receive(post(key))).toMatchObject({ status: 404 })
  })

  test('nobody before it is there', async () => {
    const links = createLinks()
    const { key } = await links.open(() => undefined, token)
    expect(await links.receive(post(key))).toMatchObject({ status: 404 })
  })

  test('no body is read of one who may not', async () => {
    const { links, key } = await start()
    const body = {
      [Symbol.asyncIterator]() {
        throw new Error('it was read')
      },
    }
    for (const wrong of [
      { authorization: 'x' },
      { seq: '0' },
      { contentType: 'text/plain' },
      { contentLength: '9999999999' },
    ]) {
      expect(await links.receive(post(key, { body, ...wrong }))).toHaveProperty('status')
    }
  })
})

describe('a body', () => {
  test('that takes too long is refused, and its place is free again', async () => {
    const { links, key } = await start({ bodyMs: 50 })
    const { promise: all, resolve } = deferred<void>()
    let begun = 0
    async function* endless(): AsyncIterable<Uint8Array> {
      begun += 1
      if (begun === 4) resolve()
      await new Promise(() => undefined)
    }
    const slow = Array.from({ length: 4 }, () => links.receive(post(key, { body: endless() })))
    await all
    expect(await links.receive(post(key))).toMatchObject({ status: 429, retryAfterMs: 1000 })
    for (const answer of await Promise.all(slow)) expect(answer).toMatchObject({ status: 408 })
    expect(await links.receive(post(key))).toEqual({ seq: 1 })
  })

  test('that breaks off is refused, and nothing of it is taken', async () => {
    const { links, key } = await start()
    async function* broken(): AsyncIterable<Uint8Array> {
      yield new TextEncoder().encode(fine)
      throw new Error('ECONNRESET')
    }
    expect(await links.receive(post(key, { body: broken() }))).toMatchObject({ status: 400 })
    expect(await links.receive(post(key))).toEqual({ seq: 1 })
  })

  test.each([
    ['a byte that is no UTF-8', Uint8Array.of(0x64, 0xff, 0x0a, 0x0a), 400],
    ['half a character', Uint8Array.of(0x0a, 0x0a, 0xe2, 0x82), 400],
    ['half a block', new TextEncoder().encode(`${fine}data: 2\n`), 400],
    ['more than a body may have', new TextEncoder().encode(':'.repeat(300_000)), 413],
  ])('with %s is refused, and the link goes on', async (_, bytes, status) => {
    const { links, key } = await start({ maxMessageBytes: 1000 })
    async function* body(): AsyncIterable<Uint8Array> {
      yield bytes
    }
    expect(await links.receive(post(key, { body: body() }))).toMatchObject({ status })
    expect(await links.receive(post(key))).toEqual({ seq: 1 })
  })

  test('of all that are read at once is given up where they are too much and it is the largest', async () => {
    const links = createLinks({ maxMessageBytes: 8 * 1024 * 1024 })
    const opened = await Promise.all([open(links), open(links), open(links)])
    const chunk = new TextEncoder().encode(':'.repeat(1024 * 1024))
    const { promise: held, resolve: release } = deferred<void>()
    async function* slow(chunks: number, onSent: () => void): AsyncIterable<Uint8Array> {
      for (let at = 0; at < chunks; at += 1) yield chunk
      onSent()
      await held
      yield new TextEncoder().encode('\n\n')
    }
    const { promise: isSent, resolve: sent } = deferred<void>()
    const largest = links.receive(post(opened[0]!.key, { body: slow(40, sent) }))
    await isSent
    const { promise: isMoreSent, resolve: moreSent } = deferred<void>()
    const larger = links.receive(post(opened[1]!.key, { body: slow(23, moreSent) }))
    await isMoreSent
    // Next to the bound: one that is small is taken, and goes on being so.
    async function* small(): AsyncIterable<Uint8Array> {
      yield chunk
      yield new TextEncoder().encode(`\n${fine}`)
    }
    expect(await links.receive(post(opened[2]!.key, { body: small() }))).toEqual({ seq: 1 })
    expect(await largest).toMatchObject({ status: 503, retryAfterMs: 1000 })
    release()
    expect(await larger).toEqual({ seq: 0 })
    expect(await links.receive(post(opened[0]!.key))).toEqual({ seq: 1 })
  })

  test('in small pieces costs little more than they do, and is counted for that', async () => {
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    const budget: Budget = { bytes: 0, readings: new Set() }
    const piece = new Uint8Array(16).fill(0x3a)
    const pieces = 200_000
    const maxBytes = 16 * pieces
    let kept = 0
    async function* body(): AsyncIterable<Uint8Array> {
      collect()
      const before = process.memoryUsage().heapUsed
      for (let at = 0; at < pieces; at += 1) yield piece
      collect()
      kept = process.memoryUsage().heapUsed - before
      expect(budget.bytes).toBeGreaterThan(40 * pieces)
    }
    expect(await readBody(body(), { maxBytes, bodyMs: 20_000, budget })).toHaveLength(maxBytes)
    expect(kept).toBeLessThan(100 * pieces)
    expect(budget.bytes).toBe(0)
  })

  test('in crumbs is not read to its end: each takes as long as a piece that says something', async () => {
    const { links, key } = await start()
    let given = 0
    async function* crumbs(): AsyncIterable<Uint8Array> {
      for (const byte of new TextEncoder().encode(`${':'.repeat(10_000)}\n\n`)) {
        given += 1
        yield Uint8Array.of(byte)
      }
    }
    const reason = expect.stringContaining('in over 1000 pieces')
    expect(await links.receive(post(key, { body: crumbs() }))).toEqual({ status: 400, reason })
    expect(given).toBeLessThan(1_100)
    expect(await links.receive(post(key))).toEqual({ seq: 1 })
  })
})

describe('another node', () => {
  function createRelay(): Relay {
    const nodes = new Map<string, Answer>()
    return {
      join(node, answer) {
        nodes.set(node, answer)
        return () => nodes.delete(node)
      },
      async ask(node, question) {
        const answer = nodes.get(node)
        if (answer === undefined) throw new Error('nobody')
        return answer(question)
      },
    }
  }

  /** A relay that writes down what crosses it. */
  function listenTo(relay: Relay, crossed: string[]): Relay {
    return {
      join: (node, answer) => relay.join(node, answer),
      async ask(node, question, signal) {
        const answer = await relay.ask(node, question, signal)
        crossed.push(question, answer)
        return answer
      },
    }
  }

  test('passes on what is posted, and neither the key nor the token', async () => {
    const crossed: string[] = []
    const relay = listenTo(createRelay(), crossed)
    const { key, link } = await start({ relay })
    const other = createLinks({ relay })
    expect(await other.receive(post(key))).toEqual({ seq: 1 })
    expect(await other.receive(post(key, { seq: '9' }))).toMatchObject({ status: 409 })
    expect(await other.receive(post(key, { authorization: 'Bearer theirs' }))).toMatchObject({ status: 404 })
    expect(crossed).toHaveLength(8)
    for (const secret of ['mine', 'theirs', key.slice(17)]) expect(crossed.join()).not.toContain(secret)
    link.close()
    expect(await other.receive(post(key))).toMatchObject({ status: 404 })
  })

  test('is asked first whether it has the link, before anything of a body is read', async () => {
    const crossed: string[] = []
    const relay = listenTo(createRelay(), crossed)
    const { key, link } = await start({ relay })
    const other = createLinks({ relay })
    const body = {
      [Symbol.asyncIterator]() {
        throw new Error('it was read')
      },
    }
    for (const contentLength of [undefined, '20']) {
      expect(
        await other.receive(post(key, { body, contentLength, authorization: 'Bearer theirs' })),
      ).toMatchObject({ status: 404 })
    }
    expect(await other.receive(post(key))).toEqual({ seq: 1 })
    expect(crossed).toHaveLength(8)
    const large = bytesOf(`data: ${'x'.repeat(100_000)}\n\n`)
    const answer = other.receive(post(key, { seq: '2', body: large, contentLength: '100008' }))
    const messages = link.messages[Symbol.asyncIterator]()
    for (const length of [1, 100_000]) expect((await messages.next()).value?.data).toHaveLength(length)
    expect(await answer).toEqual({ seq: 2 })
    expect(crossed).toHaveLength(10)
  })

  test('that has left gives no answer, which is worth another try', async () => {
    const relay = createRelay()
    const { links, key } = await start({ relay })
    links.leave()
    expect(await createLinks({ relay }).receive(post(key))).toMatchObject({ status: 503, retryAfterMs: 1000 })
    // Its own are its own.
    expect(await links.receive(post(key))).toEqual({ seq: 1 })
  })
})

test('a reader that is behind holds the answer back until it has caught up', async () => {
  const { links, key, link } = await start()
  const large = `data: ${'x'.repeat(100_000)}\n\n`
  let isAnswered = false
  const answer = links.receive(post(key, { body: bytesOf(large) })).then((taken) => {
    isAnswered = true
    return taken
  })
  const queue = link.messages as Queue<Message>
  await vi.waitFor(() => expect(queue.bytes).toBeGreaterThan(100_000))
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  expect(isAnswered).toBe(false)
  const messages = link.messages[Symbol.asyncIterator]()
  const { value } = await messages.next()
  expect(value?.data.length).toBe(100_000)
  expect(await answer).toEqual({ seq: 1 })
})

test('who sends on without waiting for answers is closed beyond a bound', async () => {
  const { links, key, link } = await start()
  const large = `data: ${'x'.repeat(1024 * 1024)}\n\n`
  const queue = link.messages as Queue<Message>
  const answers: ReturnType<Links['receive']>[] = []
  for (let at = 0; at < 3; at += 1) {
    answers.push(links.receive(post(key, { seq: String(at * 3 + 1), body: bytesOf(large.repeat(3)) })))
    // In this order: each proves in a thread of its own that it may.
    if (at < 2) await vi.waitFor(() => expect(queue.bytes).toBeGreaterThan(3 * (at + 1) * 1024 * 1024))
  }
  expect((await link.closed).code).toBe(4029)
  expect((await Promise.all(answers)).map((answer) => ('status' in answer ? answer.status : 200))).toContain(
    429,
  )
})

test('what waits does not keep the body that it came in', async () => {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const { links, key, link } = await start()
  collect()
  const before = process.memoryUsage().heapUsed
  const padding = `:${' '.repeat(2 * 1024 * 1024)}\n`
  for (let seq = 1; seq <= 20; seq += 1) {
    const text = `${padding}event: a-name-of-some-length\ndata: a-value-of-some-length\n\n`
    expect(await links.receive(post(key, { seq: String(seq), body: piecesOf(text) }))).toEqual({ seq })
  }
  // The engine cuts a piece off a text without a copy.
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(10 * 1024 * 1024)
  const all = await readAll(links, key, link)
  expect(all).toHaveLength(20)
  expect(all[19]).toEqual({ id: '', event: 'a-name-of-some-length', data: 'a-value-of-some-length' })
})

test.each([
  ['fields that nobody knows', 'a\n'],
  ['waits that are no number', 'retry: x\n'],
])('a body of %s is broken, before it takes long to read', async (_, line) => {
  const { links, key, link } = await start()
  const few = `${line.repeat(100)}${fine}`
  expect(await links.receive(post(key, { body: bytesOf(few) }))).toEqual({ seq: 1 })
  const before = process.cpuUsage()
  const many = `${fine}${line.repeat(500_000)}\n`
  expect(await links.receive(post(key, { seq: '2', body: bytesOf(many) }))).toMatchObject({ status: 400 })
  expect(process.cpuUsage(before).user).toBeLessThan(1_000_000)
  expect((await link.closed).code).toBe(1002)
})

test('one encoder serves the link as it does the stream', async () => {
  const links = createLinks()
  let encoder: Encoder | undefined
  const { accept } = await links.open((link) => {
    encoder = link.encoder
  }, undefined)
  expect((await streamOf(accept)).encoder).toBe(encoder)
})

test.each([0, 1.5, Number.NaN])('no links are made whose largest message is %s', (maxMessageBytes) => {
  expect(() => createLinks({ maxMessageBytes })).toThrow(TypeError)
})
