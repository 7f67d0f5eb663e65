import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, maxHeaderSize } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createHub, serve } from '@eitherway/server'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const read = (path: string) => readFileSync(`${root}/${path}`, 'utf8')

/** Where each row's default stands in the code. */
const sources: Readonly<Record<string, readonly [file: string, name: string] | number>> = {
  'a message that a peer sends': ['core/src/frame.ts', 'defaultMaxMessageBytes: number'],
  'frames of one message': ['interop/node_modules/ws/lib/websocket-server.js', 'maxFragments:'],
  'messages of one peer within a second, and at once; over WebSocket any word of the protocol counts': [
    'server/src/options.ts',
    'maxMessagesPerSecond',
  ],
  'messages of one peer that wait for `onMessage`': ['core/src/inbox.ts', 'highWaterBytes'],
  'the body of a POST': ['post/src/links.ts', 'minBodyBytes'],
  'bodies that are being read, of all links': ['post/src/body.ts', 'maxReadingBytes'],
  'links about which the other [nodes](scaling.md) are being asked, before the first body of each is read; half as many about one node':
    ['post/src/neighbours.ts', 'maxMeetings'],
  'bodies that are on their way to other nodes, until these answer': [
    'post/src/neighbours.ts',
    'maxCarriedBytes',
  ],
  'pieces in which a body comes, besides one for each 16 bytes': ['post/src/body.ts', 'freePieces'],
  'lines of a body that bring no message: comments, `retry`, fields that there are not': [
    'post/src/link.ts',
    'maxStrayLines',
  ],
  'POSTs of one link at a time': ['post/src/links.ts', 'maxPosts'],
  'time for the body of a POST to come': ['post/src/links.ts', 'bodyMs'],
  'time for which the answer to a POST waits for `onMessage`': ['post/src/wire.ts', 'holdMs'],
  'a batch that does not get through by POST, until the link is given up': [
    'post/src/outgoing.ts',
    'giveUpMs',
  ],
  'messages of one peer against the [contract](contracts.md) of which `onError` is told': [
    'server/src/inbound.ts',
    'maxToldBreaks',
  ],
  'levels of what a peer sends': ['server/src/options.ts', 'maxDepth'],
  'path and query': ['core/src/request.ts', 'maxTargetBytes'],
  'characters of `Host`': ['core/src/request.ts', 'maxHostLength'],
  'parameters, and with them channels of one peer': ['core/src/request.ts', 'maxParameters'],
  'name of a channel or event': ['core/src/message.ts', 'maxNameBytes'],
  'name of a request': ['core/src/call.ts', 'maxRequestNameBytes'],
  'requests of one peer that are answered at the same time': [
    'server/src/options.ts',
    'maxConcurrentRequests',
  ],
  'requests of one peer that wait for their turn': ['server/src/peer.ts', 'highWaterBytes: number'],
  'requests that wait for their answers': ['client/src/calls.ts', 'maxPending'],
  'time to wait for the answer to a request': ['client/src/calls.ts', 'timeoutMs'],
  'time for a link that was replaced to bring the answers that it owes': [
    'client/src/links.ts',
    'maxRetiredMs',
  ],
  id: ['core/src/message.ts', 'maxIdBytes'],
  token: ['core/src/token.ts', 'maxTokenLength'],
  'the same, read already when the server stops, as from one packet of what compresses well': [
    'core/src/inbox.ts',
    'maxWaitingBytes',
  ],
  'all that a peer sends compressed, as a multiple of what came': ['ws/src/server.ts', 'maxInflation'],
  'smallest message that is compressed, where that is on': [
    'core/src/compression.ts',
    'defaultThresholdBytes',
  ],
  'path, query and headers together': maxHeaderSize,
  'time to send the headers': createServer().headersTimeout,
  'time to send a whole request': createServer().requestTimeout,
  'connections of a hub, and requests that are being decided about': [
    'server/src/places.ts',
    'maxConnections',
  ],
  'connections from one address': ['server/src/places.ts', 'maxConnectionsPerAddress'],
  'time in which `authorize` and `authorizeChannel` decide': ['server/src/admission.ts', 'admitMs'],
  'a closing link, until its socket is destroyed': ['ws/src/server.ts', 'closeMs'],
  'a message that is published': ['server/src/options.ts', 'maxMessageBytes'],
  'what waits for one peer': ['server/src/options.ts', 'maxQueuedBytes'],
  'what waits for all slow peers': ['server/src/options.ts', 'maxTotalQueuedBytes'],
  'messages kept of one channel': ['server/src/memory.ts', 'limits.messages'],
  'bytes kept of one channel': ['server/src/memory.ts', 'limits.bytes'],
  'bytes kept of all channels': ['server/src/memory.ts', 'limits.totalBytes'],
  'age of what is kept': ['server/src/memory.ts', 'limits.ageMs'],
  'what waits to be stored in Redis, where that is the [broker](scaling.md)': [
    'redis/src/options.ts',
    'maxQueuedBytes',
  ],
  'time of a publish there, and of reading history': ['redis/src/options.ts', 'timeoutMs'],
  'what hubs ask of one there, and has not been read': ['redis/src/lua-nodes.ts', 'maxQuestions'],
  'bytes that a shared link keeps for [tabs that join](tabs.md)': ['client/src/recent.ts', 'maxBytes'],
  'messages of the same': ['client/src/recent.ts', 'maxFrames'],
  'what waits to be read of a shared link, in a tab that follows': ['client/src/seat.ts', 'maxUnreadBytes'],
  'reason of a close': 123,
  'a message that it receives': ['core/src/frame.ts', 'defaultMaxMessageBytes: number'],
  'what waits for one iteration, or to be sent': ['client/src/connect.ts', 'maxQueuedBytes'],
  'redirects of one SSE request with headers of yours': ['sse/src/client.ts', 'maxRedirects'],
  'time to open a link and be greeted': ['client/src/connect.ts', 'options.connectMs'],
}

const page = read('docs/guides/limits.md')
const rows = [...page.matchAll(/^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|/gm)]
  .map(([, what = '', where = '', limit = '']) => ({ what, where, limit }))
  .filter(({ what }) => what !== 'What' && !what.startsWith('---'))

test('the page names each limit once, and this test knows where each comes from', () => {
  expect(rows.map(({ what }) => what).sort()).toEqual(Object.keys(sources).sort())
})

test.each(rows)('$what: $limit, as in the code', ({ what, limit }) => {
  const source = sources[what] ?? Number.NaN
  const actual = typeof source === 'number' ? source : defaultIn(...source)
  expect(limit === 'none' ? Number.POSITIVE_INFINITY : Number(limit.replaceAll(',', ''))).toBe(actual)
})

test('each option that bounds something is on the page', () => {
  const options = [
    'server/src/options.ts',
    'server/src/places.ts',
    'server/src/admission.ts',
    'server/src/serve.ts',
  ]
    .flatMap((file) => [...read(`packages/${file}`).matchAll(/^ {2}readonly ((?:max|admit)\w+)\?: number/gm)])
    .map(([, name = '']) => name)
  expect(options.length).toBeGreaterThan(8)
  for (const name of options) expect(page).toContain(`\`${name}\``)
})

/** The number that a name is given by default. */
function defaultIn(file: string, name: string): number {
  const [, given = ''] =
    new RegExp(`\\b${name}(?: =| \\?\\?)? ([\\w.* ]+)[,)\\n }]`).exec(read(`packages/${file}`)) ?? []
  if (given === 'defaultMaxMessageBytes')
    return defaultIn('core/src/frame.ts', 'defaultMaxMessageBytes: number')
  if (given === 'Number.POSITIVE_INFINITY') return Number.POSITIVE_INFINITY
  return given.split('*').reduce((product, factor) => product * Number(factor.replaceAll('_', '')), 1)
}

test.each([
  ['a stream', 'GET /live HTTP/1.1\r\nHost: test\r\nX-Slow: '],
  ['an upgrade', 'GET /live HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'],
])('a request for %s whose head never ends is cut off, by the time that the server sets', async (_, head) => {
  const hub = createHub()
  const server = createServer({ headersTimeout: 100, connectionsCheckingInterval: 20 })
  serve(hub, server, { path: '/live' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write(head)
  let answer = ''
  for await (const data of socket) answer += String(data)
  expect(answer).toMatch(/^HTTP\/1.1 408 /)
  expect(hub.stats()).toMatchObject({ peers: 0, refused: {} })
  await hub.close()
  server.close()
})
