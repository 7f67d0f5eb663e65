import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * One way to read a stream, run in a process of its own by reading.mjs.
 * @typedef {object} Reader
 * @property {string} title
 * @property {'control' | 'ours'} kind
 * @property {Wire} wire
 * @property {(root: string, heard: (value: unknown) => void) => Promise<Feed>} open - from the checkout `root`; `heard` is
 * called with the data of each message
 *
 * @typedef {'sse' | 'ws'} Wire
 *
 * Takes what the wire brings next. The stream goes on from call to call, as one link does.
 * @typedef {(slices: readonly any[]) => void} Feed
 */

/** @type {Readonly<Record<string, Reader>>} */
export const readers = {
  'sse-parser': {
    title: '`eventsource-parser` and `JSON.parse`',
    kind: 'control',
    wire: 'sse',
    async open(root, heard) {
      const feed = await parserOf(root, heard)
      return (slices) => slices.forEach(feed)
    },
  },
  'sse-body': {
    title: 'the same, over the body of a `fetch`',
    kind: 'control',
    wire: 'sse',
    async open(root, heard) {
      const feed = await parserOf(root, heard)
      const source = createSource()
      const body = /** @type {ReadableStream<Uint8Array>} */ (source.response.body).getReader()
      const read = async () => {
        for (;;) feed(/** @type {Uint8Array} */ ((await body.read()).value))
      }
      void read()
      return source.feed
    },
  },
  'sse-decoder': {
    title: '**Eitherway**, the decoder of SSE and `JSON.parse`',
    kind: 'ours',
    wire: 'sse',
    async open(root, heard) {
      /** @type {typeof import('../packages/sse/src/codec.ts')} */
      const { codec } = await load(root, 'sse', 'codec')
      return decoding(codec, heard)
    },
  },
  'sse-client': {
    title: '**Eitherway**, `connect` over SSE',
    kind: 'ours',
    wire: 'sse',
    async open(root, heard) {
      /** @type {typeof import('../packages/sse/src/client.ts')} */
      const { sse } = await load(root, 'sse', 'client')
      const source = createSource()
      await follow(root, sse({ fetch: async () => source.response }), heard)
      return source.feed
    },
  },
  'ws-split': {
    title: '`split` and `JSON.parse`',
    kind: 'control',
    wire: 'ws',
    async open(_root, heard) {
      return (slices) => {
        for (const slice of slices) heard(JSON.parse(slice.split('\n')[2]))
      }
    },
  },
  'ws-decoder': {
    title: '**Eitherway**, the decoder of WebSocket and `JSON.parse`',
    kind: 'ours',
    wire: 'ws',
    async open(root, heard) {
      /** @type {typeof import('../packages/ws/src/codec.ts')} */
      const { codec } = await load(root, 'ws', 'codec')
      return decoding(codec, heard)
    },
  },
  'ws-client': {
    title: '**Eitherway**, `connect` over WebSocket',
    kind: 'ours',
    wire: 'ws',
    async open(root, heard) {
      /** @type {typeof import('../packages/ws/src/client.ts')} */
      const { ws } = await load(root, 'ws', 'client')
      /** @type {(event: unknown) => void} */
      let receive = () => undefined
      /** As much of a socket as a link looks at: it opens, and brings what it is fed. */
      class Socket {
        readyState = 1
        /**
         * By hand: events that Node dispatches cost more than all that is measured here.
         * @param {string} type
         * @param {any} listener
         */
        addEventListener(type, listener) {
          if (type === 'open') queueMicrotask(listener)
          if (type === 'message') receive = listener
        }
      }
      await follow(root, ws({ WebSocket: /** @type {any} */ (Socket) }), heard)
      return (slices) => {
        for (const data of slices) receive({ data })
      }
    },
  },
}

/**
 * @param {import('../packages/core/src/index.ts').Codec} codec
 * @param {(value: unknown) => void} heard
 * @returns {Feed}
 */
function decoding(codec, heard) {
  const decoder = codec.decoder()
  return (slices) => {
    for (const slice of slices) {
      for (const frame of decoder.push(slice)) {
        if (frame.type === 'message') heard(JSON.parse(/** @type {string} */ (frame.message.data)))
      }
    }
  }
}

/**
 * A client that hears every message.
 * @param {string} root
 * @param {import('../packages/core/src/index.ts').Transport} transport
 * @param {(value: unknown) => void} heard
 */
async function follow(root, transport, heard) {
  /** @type {typeof import('../packages/client/src/index.ts')} */
  const { connect } = await load(root, 'client', 'index')
  const client = connect('http://bench.test/', { transport, silenceMs: 60_000 })
  client.on('tick', heard)
  await new Promise((resolve) => client.onState((state) => state === 'open' && resolve(state)))
}

/** A response whose body brings what it is fed, a slice for each read, as `fetch` does with what comes from the network. */
function createSource() {
  /** @type {Uint8Array[]} */
  let slices = []
  let at = 0
  /** @type {() => void} */
  let wake = () => undefined
  const body = new ReadableStream(
    {
      type: 'bytes',
      async pull(controller) {
        if (at === slices.length) await new Promise((resolve) => (wake = () => resolve(0)))
        // A copy: what it is given, it takes away.
        controller.enqueue(/** @type {Uint8Array} */ (slices[at++]).slice())
      },
    },
    { highWaterMark: 0 },
  )
  return {
    response: new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }),
    /** @param {readonly Uint8Array[]} next */
    feed(next) {
      slices = [...next]
      at = 0
      wake()
    },
  }
}

/**
 * @param {string} root
 * @param {(value: unknown) => void} heard
 * @returns {Promise<(slice: Uint8Array) => void>}
 */
async function parserOf(root, heard) {
  const require = createRequire(join(root, 'packages/sse/package.json'))
  const { createParser } = await import(pathToFileURL(require.resolve('eventsource-parser')).href)
  const utf8 = new TextDecoder()
  const parser = createParser({
    onEvent: (/** @type {{ data: string }} */ { data }) => heard(JSON.parse(data)),
  })
  return (slice) => parser.feed(utf8.decode(slice, { stream: true }))
}

/**
 * @param {string} root
 * @param {string} name
 * @param {string} entry
 */
const load = (root, name, entry) =>
  import(pathToFileURL(join(root, `packages/${name}/dist/${entry}.js`)).href)
