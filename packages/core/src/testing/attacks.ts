import {
  type Attack,
  type AttackTarget,
  clientFrame,
  type Entrance,
  type Outcome,
  requestOf,
} from './attack.ts'
import { bodies } from './post-attacks.ts'

const frames: readonly Entrance['speaks'][] = ['frames', 'messages']
const messages: readonly Entrance['speaks'][] = ['messages']

/** What an attack sends, but for what is always so. */
interface Sent {
  readonly query?: string
  readonly headers?: readonly string[]
  /** What follows the head. */
  readonly rest?: Iterable<string>
}

const sends =
  (of: (target: AttackTarget) => Sent) =>
  (target: AttackTarget): Iterable<string> => {
    const { query = 'channel=mine', headers = [], rest = [] } = of(target)
    return [requestOf(target.entrance, `${target.path}?${query}`, headers), ...rest]
  }

/** An attack by the query alone. */
const asked = (name: string, source: string, query: string, comes: Outcome): Attack => ({
  name,
  source,
  bytes: sends(() => ({ query })),
  comes,
})

/** An attack by one more header. */
const headed = (name: string, source: string, header: string, comes: Outcome): Attack => ({
  name,
  source,
  bytes: sends(() => ({ headers: [header] })),
  comes,
})

/** An attack by frames, behind a handshake that is fine. */
const framed = (name: string, source: string, comes: Outcome, ...rest: string[]): Attack => ({
  name,
  source,
  needs: frames,
  bytes: sends(() => ({ rest })),
  comes,
})

/** As `framed`, with the frame's message in the words of the entrance. */
const told = (name: string, source: string, data: string, comes: Outcome): Attack => ({
  name,
  source,
  needs: frames,
  bytes: sends(({ entrance }) => ({
    rest: [clientFrame(1, entrance.speaks === 'messages' ? `\necho\n${data}` : data)],
  })),
  comes,
})

const refused = (...status: number[]): Outcome => ({ status })
const closed = (closeCode: number): Outcome => ({ closeCode })

function* repeated(piece: string, times: number, perWrite = 500): Iterable<string> {
  for (let sent = 0; sent < times; sent += perWrite) yield piece.repeat(Math.min(perWrite, times - sent))
}

const ends = { CR: '%0D', LF: '%0A', CRLF: '%0D%0A', NUL: '%00' }
/** Members that every object has. */
const inherited = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype']

const requests: readonly Attack[] = [
  ...Object.entries(ends).flatMap(([end, escaped]) => [
    asked(
      `${end} in a channel`,
      'CVE-2026-33128',
      `channel=mine${escaped}X-Injected:%201${escaped}data:%20injected`,
      refused(400),
    ),
    asked(
      `${end} in lastEventId`,
      'CVE-2026-29085',
      `channel=mine&lastEventId=1${escaped}data:%20injected${escaped}${escaped}`,
      'service',
    ),
  ]),
  headed('CR in Last-Event-ID', 'GHSA-4hxc-9384-m385', 'Last-Event-ID: 1\rX-Injected: 1', refused(400)),
  headed('LF in Last-Event-ID', 'CVE-2026-33128', 'Last-Event-ID: 1\n\ndata: injected', refused(400)),
  headed('NUL in Last-Event-ID', 'HTML 9.2.6', 'Last-Event-ID: 1\0', refused(400)),
  headed('Last-Event-ID that is not UTF-8', 'HTML 9.2.4', 'Last-Event-ID: \xff\xfe\xc3', 'service'),
  asked('a channel that is not UTF-8', 'URL standard', 'channel=%ff%fe%c3', 'service'),
  asked('half an escape', 'URL standard', 'channel=mine%&%=%d', 'service'),
  asked('an empty channel', 'ours', 'channel=', refused(400)),
  asked('a channel of the protocol itself', 'ours', 'channel=~hello', refused(400)),
  asked('a channel of 256 bytes', 'ours', `channel=${'c'.repeat(256)}`, refused(400)),
  asked('1001 channels', 'CVE-2024-37890', repeatedQuery(1001), refused(400, 414)),
  ...inherited.flatMap((name) => [
    asked(`the channel ${name}`, 'GHSA-5v72-xg48-5rpm', `channel=${name}&channel=mine`, 'service'),
    asked(
      `the parameters ${name}`,
      'GHSA-5v72-xg48-5rpm',
      `${name}=1&${name}[a]=2&channel[${name}]=x`,
      'service',
    ),
    headed(`the header ${name}`, 'GHSA-5v72-xg48-5rpm', `${name}: 1`, 'service'),
  ]),
  ...['0-1', '-1', '99999999999999999999-1', 'a-999999999999999', 'a-1e3', 'a--1', '"', '\\', '~', '1'].map(
    (id) =>
      asked(
        `the forged position ${id}`,
        'MCP SDK #2068',
        `channel=mine&lastEventId=${encodeURIComponent(id)}`,
        'service',
      ),
  ),
  ...['', '0', '-1', '999999999', '-999999999999999', 'e9'].map(
    (number): Attack => ({
      name: `the forged position <epoch>-${number}`,
      source: 'MCP SDK #2068',
      bytes: sends(({ position }) => ({
        query: `channel=mine&lastEventId=${position.split('-')[0]}-${number}`,
        headers: [`Last-Event-ID: ${position.split('-')[0]}-${number}`],
      })),
      comes: 'service',
    }),
  ),
  asked("somebody else's channel", 'CVE-2026-39972', 'channel=theirs', refused(403)),
  asked(
    "somebody else's channel behind one's own",
    'CVE-2026-39972',
    'channel=mine&channel=theirs',
    refused(403),
  ),
  asked(
    'both in one name',
    'CVE-2026-39972',
    'channel=mine,theirs&channel=mine_theirs&channel=mine%20theirs',
    'service',
  ),
  {
    name: "somebody else's channel, from its beginning",
    source: 'MCP SDK #2068',
    bytes: sends(({ position }) => ({
      query: `channel=theirs&lastEventId=${position.split('-')[0]}-0`,
    })),
    comes: refused(403),
  },
  {
    name: "somebody else's channel, decided later",
    source: 'ours',
    bytes: sends(() => ({ query: 'slowly=1&channel=mine&channel=theirs' })),
    comes: refused(403),
  },
  {
    name: 'leaving while it is decided about, twelve times',
    source: 'ours',
    times: 12,
    bytes: sends(() => ({ query: 'slowly=1&channel=mine' })),
    comes: 'anything',
  },
  {
    name: 'connecting and leaving at once, 200 times',
    source: 'CVE-2023-44487',
    times: 200,
    bytes: sends(() => ({})),
    comes: 'anything',
  },
  {
    name: 'a request byte by byte',
    source: 'slowloris',
    bytes: ({ entrance, path }) => requestOf(entrance, `${path}?channel=mine`),
    comes: 'service',
  },
  {
    name: 'a request line without end',
    source: 'slowloris',
    bytes: ({ path }) => [`GET ${path}?`, ...repeated('a=b&', 65_536)],
    comes: refused(431),
  },
  {
    name: 'headers without end',
    source: 'CVE-2024-37890',
    bytes: ({ path }) => [`GET ${path} HTTP/1.1\r\nHost: test\r\n`, ...repeated('X-a: b\r\n', 20_000)],
    comes: refused(431),
  },
  {
    name: 'one header without end',
    source: 'slowloris',
    bytes: ({ path }) => [`GET ${path} HTTP/1.1\r\nHost: test\r\nX: `, ...repeated('x', 300_000)],
    comes: refused(431),
  },
  {
    name: 'bytes of no protocol',
    source: 'ours',
    bytes: () => ['\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', '\xff'.repeat(1000)],
    comes: refused(400),
  },
  {
    name: 'a hundred requests behind it',
    source: 'request smuggling',
    needs: ['nothing'],
    bytes: (target) => {
      const one = requestOf(target.entrance, `${target.path}?channel=mine`)
      return [one, one.repeat(99), 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi']
    },
    comes: 'service',
  },
]

function repeatedQuery(count: number): string {
  return Array.from({ length: count }, (_, at) => `channel=${at}`).join('&')
}

const handshakes: readonly Attack[] = [
  ...[...inherited, 'x, y', 'constructor; constructor=1'].map(
    (name): Attack => ({
      ...headed(
        `the extension ${name}`,
        'GHSA-5v72-xg48-5rpm',
        `Sec-WebSocket-Extensions: ${name}`,
        'service',
      ),
      needs: frames,
    }),
  ),
  ...['permessage-deflate; server_max_window_bits=99', ';;;', '"', 'a'.repeat(7000)].map(
    (offer): Attack => ({
      ...headed(
        `the extension ${offer.slice(0, 50)}`,
        'CVE-2026-1528',
        `Sec-WebSocket-Extensions: ${offer}`,
        'service',
      ),
      needs: frames,
    }),
  ),
  // With ours as another header, of which Node makes one list.
  ...inherited.map(
    (name): Attack => ({
      ...headed(
        `the subprotocol ${name}`,
        'GHSA-5v72-xg48-5rpm',
        `Sec-WebSocket-Protocol: ${name}`,
        'service',
      ),
      needs: frames,
    }),
  ),
  ...[',', 'a,,b', 'a b', '"', `${'a,'.repeat(3000)},`].map(
    (list): Attack => ({
      ...headed(
        `the subprotocols ${list.slice(0, 20)}, twelve times`,
        'CVE-2021-32640',
        `Sec-WebSocket-Protocol: ${list}`,
        { status: [400] },
      ),
      needs: ['frames'],
      times: 12,
    }),
  ),
]

const text = clientFrame(1, '"hi"')
/** UTF-8 that is none: a lone byte, an overlong form, a surrogate, beyond Unicode, an end too soon. */
const notUtf8 = ['\xff', '\xc0\x80', '\xed\xa0\x80', '\xf4\x90\x80\x80', '\xe2\x82']

const links: readonly Attack[] = [
  framed('an unmasked frame', 'RFC 6455 5.1', closed(1002), clientFrame(1, '"hi"', { masked: false })),
  ...[1, 2, 3, 5, 7].map((rsv) =>
    framed(`the reserved bits ${rsv}`, 'RFC 6455 5.2', closed(1002), clientFrame(1, '"hi"', { rsv })),
  ),
  {
    name: 'a deflate bomb, as compression is not on',
    source: 'CVE-2018-1000518',
    needs: frames,
    bytes: sends(() => ({
      headers: ['Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover'],
      rest: [clientFrame(1, `\xec\xc1\x01\x01${'\0'.repeat(100)}`, { rsv: 4 })],
    })),
    comes: closed(1002),
  },
  ...[3, 7, 11, 15].map((opcode) =>
    framed(`the opcode ${opcode}`, 'RFC 6455 5.2', closed(1002), clientFrame(opcode, 'x')),
  ),
  ...[8, 9, 10].flatMap((opcode) => [
    framed(
      `a fragment of the opcode ${opcode}`,
      'RFC 6455 5.5',
      closed(1002),
      clientFrame(opcode, '', { fin: false }),
    ),
    framed(
      `126 bytes of the opcode ${opcode}`,
      'RFC 6455 5.5',
      closed(1002),
      clientFrame(opcode, 'x'.repeat(126)),
    ),
  ]),
  framed('a continuation of nothing', 'RFC 6455 5.4', closed(1002), clientFrame(0, 'x')),
  framed(
    'a message within a message',
    'RFC 6455 5.4',
    closed(1002),
    clientFrame(1, 'a', { fin: false }),
    text,
  ),
  ...notUtf8.flatMap((bytes) => [
    framed(`text of ${hexOf(bytes)}`, 'RFC 6455 8.1', closed(1007), clientFrame(1, `\n\n"${bytes}`)),
    framed(`a close for ${hexOf(bytes)}`, 'RFC 6455 8.1', closed(1007), clientFrame(8, `\x03\xe8${bytes}`)),
  ]),
  framed('a close of one byte', 'RFC 6455 5.5.1', closed(1002), clientFrame(8, '\x03')),
  ...[0, 999, 1004, 1005, 1006, 1015, 1100, 2999, 5000, 65_535].map((code) =>
    framed(
      `a close with ${code}`,
      'RFC 6455 7.4',
      closed(1002),
      clientFrame(8, String.fromCharCode(code >> 8, code & 0xff)),
    ),
  ),
  framed(
    'frames behind a close',
    'RFC 6455 5.5.1',
    closed(4999),
    clientFrame(8, '\x13\x87bye'),
    text.repeat(1000),
  ),
  framed('line ends in a close', 'CVE-2026-1527', closed(4000), clientFrame(8, '\x0f\xa0a\r\ndata: x\n\n\0')),
  ...[1n << 62n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n, 1n << 31n, 1n << 32n].map((announced) =>
    framed(
      `an announced length of ${announced}`,
      'CVE-2020-27813',
      closed(1009),
      clientFrame(2, '', { announced }),
    ),
  ),
  framed('a message over the limit', 'CVE-2016-10542', closed(1009), clientFrame(2, 'x'.repeat(10_000))),
  {
    name: 'fragments without end',
    source: 'CVE-2026-42786',
    needs: frames,
    bytes: sends(() => ({
      rest: [
        clientFrame(1, 'x', { fin: false }),
        ...repeated(clientFrame(0, 'x'.repeat(100), { fin: false }), 10_000),
      ],
    })),
    comes: closed(1009),
  },
  {
    name: '100,000 empty fragments',
    source: 'CVE-2026-48779',
    needs: frames,
    bytes: sends(() => ({
      rest: [
        clientFrame(1, '', { fin: false }),
        ...repeated(clientFrame(0, '', { fin: false }), 100_000, 5000),
      ],
    })),
    comes: closed(1008),
  },
  {
    name: 'a frame byte by byte',
    source: 'CVE-2026-48779',
    needs: frames,
    bytes: sends(({ entrance }) => ({
      rest: clientFrame(1, entrance.speaks === 'messages' ? '\necho\n"slow"' : '"slow"'),
    })),
    comes: { hears: 'slow' },
  },
  {
    name: 'a flood of pings that are not read',
    source: 'CVE-2016-10518',
    needs: frames,
    bytes: sends(() => ({ rest: repeated(clientFrame(9, 'x'.repeat(125)), 20_000) })),
    comes: 'the end',
  },
  {
    name: 'a flood of pongs and empty frames',
    source: 'RFC 6455 5.5.3',
    needs: frames,
    bytes: sends(() => ({ rest: repeated(clientFrame(10), 20_000) })),
    comes: 'service',
  },
  {
    name: 'more messages than anybody may send',
    source: 'CVE-2020-36048',
    needs: frames,
    bytes: sends(({ entrance }) => ({
      rest: repeated(clientFrame(1, entrance.speaks === 'messages' ? '\ne\n1' : '1'), 5000),
    })),
    comes: closed(4029),
  },
  framed(
    'a request in place of frames',
    'request smuggling',
    closed(1002),
    'GET /live?channel=mine HTTP/1.1\r\nHost: test\r\n\r\n',
  ),
  told('JSON that is none', 'CVE-2022-2421', '{"a":', closed(1007)),
  told('JSON 1,000 deep', 'CVE-2026-30241', `${'['.repeat(1000)}${']'.repeat(1000)}`, closed(1007)),
  told('JSON of open brackets only', 'CVE-2026-30241', '['.repeat(4000), closed(1007)),
  ...inherited.map((name) =>
    told(`the key ${name}`, 'prototype pollution', `{"${name}":{"polluted":true}}`, { hears: 'polluted' }),
  ),
  told(
    'the key constructor.prototype',
    'prototype pollution',
    '{"constructor":{"prototype":{"polluted":1}}}',
    {
      hears: 'polluted',
    },
  ),
]

const ours: readonly Attack[] = [
  {
    ...framed('more words of the protocol than anybody may send', 'ours', closed(4029)),
    bytes: sends(() => ({
      rest: ['\n~new\n', '\n~hello\n{"heartbeatMs":1}', '1\n~position\n'].flatMap((word) => [
        ...repeated(clientFrame(1, word), 1000),
      ]),
    })),
    needs: messages,
  },
  { ...framed('a message of one line', 'ours', closed(1002), clientFrame(1, 'x')), needs: messages },
  { ...framed('a message of two lines', 'ours', closed(1002), clientFrame(2, 'x\ny')), needs: messages },
  {
    ...framed('an event that is not UTF-8', 'ours', closed(1007), clientFrame(2, '\n\xff\nx')),
    needs: messages,
  },
  {
    ...framed('an event of 300 bytes', 'ours', closed(1002), clientFrame(1, `\n${'e'.repeat(300)}\n1`)),
    needs: messages,
  },
  {
    ...framed('an id of 200 bytes', 'ours', closed(1002), clientFrame(1, `${'1'.repeat(200)}\ne\n1`)),
    needs: messages,
  },
  {
    ...framed('a broken frame of the protocol', 'ours', closed(1002), clientFrame(1, '\n~close\n{')),
    needs: messages,
  },
  ...['\r', '\0', 'a\rdata: injected\r\r', '__proto__', 'constructor', ' '].map(
    (event): Attack => ({
      ...framed(
        `the event ${JSON.stringify(event)}`,
        'CVE-2026-22735',
        { hears: 'back' },
        clientFrame(1, `\r\0\n${event}\n"back"`),
      ),
      needs: messages,
    }),
  ),
]

/** As it can be read. */
function hexOf(bytes: string): string {
  return Array.from(bytes, (byte) => byte.charCodeAt(0).toString(16)).join(' ')
}

/** Whatever was done to servers like this one, and is done here to every entrance that bears it. */
export const attacks: readonly Attack[] = [...requests, ...handshakes, ...links, ...ours, ...bodies(requests)]
