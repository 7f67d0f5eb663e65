import { createMessage, type Frame, type Message, ProtocolError } from '@eitherway/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codec } from '../src/codec.ts'
import { asSeen, referenceReader, type Seen } from './reference-reader.ts'

/**
 * The HTML standard, section 9.2 "Server-sent events", case by case.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

interface Case {
  /** What the standard says, as a fact. */
  readonly name: string
  /** Text stands for its UTF-8. */
  readonly stream: string | Uint8Array
  readonly frames: readonly Frame[]
}

const message = (data: string | Uint8Array, { id = '', event = 'message' } = {}): Frame => ({
  type: 'message',
  message: { id, event, data },
})
const position = (id: string): Frame => ({ type: 'position', id })
const retry = (retryMs: number): Frame => ({ type: 'retry', retryMs })
const heartbeat: Frame = { type: 'heartbeat' }

const long = 'x'.repeat(500)

const sections: Readonly<Record<string, readonly Case[]>> = {
  '9.2.4 The `Last-Event-ID` header': [
    {
      name: 'an id may be any text but NUL, CR and LF',
      stream: 'id: ünï 😀: #\t1\ndata: x\n\n',
      frames: [message('x', { id: 'ünï 😀: #\t1' })],
    },
  ],

  '9.2.5 Parsing an event stream: decoding': [
    {
      name: 'one byte order mark at the start is taken away',
      stream: '\uFEFFdata: x\n\n',
      frames: [message('x')],
    },
    {
      name: 'a second byte order mark belongs to the field name, which nobody knows then',
      stream: '\uFEFF\uFEFFdata: lost\n\ndata: x\n\n',
      frames: [message('x')],
    },
    {
      name: 'a byte order mark at the start of a later line belongs to the field name',
      stream: 'data: 1\n\uFEFFdata: lost\n\n',
      frames: [message('1')],
    },
    {
      name: 'a byte order mark within a value is kept',
      stream: 'data: \uFEFFx\n\ndata:\uFEFF\n\n',
      frames: [message('\uFEFFx'), message('\uFEFF')],
    },
    {
      name: 'a byte order mark alone is an empty stream',
      stream: '\uFEFF',
      frames: [],
    },
    {
      name: 'a byte order mark before a comment leaves the comment',
      stream: '\uFEFF: hello\n\n',
      frames: [heartbeat],
    },
    {
      name: 'the three characters that look like a byte order mark in Latin-1 are none',
      stream: '\u00EF\u00BB\u00BFdata: lost\n\ndata: x\n\n',
      frames: [message('x')],
    },
    {
      name: 'two bytes of a byte order mark are invalid UTF-8 before the field name',
      stream: bytes([0xef, 0xbb], 'data: lost\n\ndata: x\n\n'),
      frames: [message('x')],
    },
    {
      name: 'the byte order mark of UTF-16 is not heeded: the stream is UTF-8',
      stream: bytes([0xff, 0xfe], 'data: lost\n\ndata: x\n\n'),
      frames: [message('x')],
    },
    {
      name: 'characters of two, three and four bytes arrive whole',
      stream: 'data: ü€😀\n\n',
      frames: [message('ü€😀')],
    },
    {
      name: 'a byte that is no UTF-8 becomes U+FFFD',
      stream: bytes('data: a', [0xff], 'b\n\n'),
      frames: [message('a\uFFFDb')],
    },
    {
      name: 'a character cut short by a line end becomes U+FFFD, and the line ends',
      stream: bytes('data: ', [0xe2, 0x82], '\n\n'),
      frames: [message('\uFFFD')],
    },
    {
      name: 'a character cut short by another becomes U+FFFD, and the other stays',
      stream: bytes('data: ', [0xc3], '(', [0xf0, 0x9f, 0x98], 'x\n\n'),
      frames: [message('\uFFFD(\uFFFDx')],
    },
    {
      name: 'overlong forms and surrogates become one U+FFFD for each byte',
      stream: bytes('data: ', [0xc0, 0xaf], '|', [0xed, 0xa0, 0x80], '\n\n'),
      frames: [message('\uFFFD\uFFFD|\uFFFD\uFFFD\uFFFD')],
    },
    {
      name: 'a field name with a byte that is no UTF-8 is unknown',
      stream: bytes('da', [0x80], 'ta: lost\n\ndata: x\n\n'),
      frames: [message('x')],
    },
    {
      name: 'a character that the end of the stream cuts is dropped with its block',
      stream: bytes('data: 1\n\ndata: ', [0xf0, 0x9f]),
      frames: [message('1')],
    },
  ],

  '9.2.5 Parsing an event stream: line ends': [
    {
      name: 'lines end with LF',
      stream: 'id: 1\nevent: e\ndata: a\ndata: b\n\n',
      frames: [message('a\nb', { id: '1', event: 'e' })],
    },
    {
      name: 'lines end with CR',
      stream: 'id: 1\revent: e\rdata: a\rdata: b\r\rdata: c\r\r',
      frames: [message('a\nb', { id: '1', event: 'e' }), message('c')],
    },
    {
      name: 'lines end with CRLF, which is one end and not two',
      stream: 'id: 1\r\nevent: e\r\ndata: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n',
      frames: [message('a\nb', { id: '1', event: 'e' }), message('c')],
    },
    {
      name: 'each line may end in its own way',
      stream: 'data: a\rdata: b\ndata: c\r\n\rdata: d\n\r\ndata: e\r\n\ndata: f\r\r\n',
      frames: [message('a\nb\nc'), message('d'), message('e'), message('f')],
    },
    {
      name: 'LF before CR is two line ends',
      stream: 'data: a\n\rdata: b\n\r',
      frames: [message('a'), message('b')],
    },
    {
      name: 'CR CR LF is two line ends',
      stream: 'data: a\r\r\ndata: b\r\r\n',
      frames: [message('a'), message('b')],
    },
    {
      name: 'CR LF CR is two line ends',
      stream: 'data: a\r\n\rdata: b\r\n\r',
      frames: [message('a'), message('b')],
    },
    {
      name: 'a lone CR at the very end of the stream ends its line',
      stream: 'data: a\n\r',
      frames: [message('a')],
    },
    {
      name: 'a CR after a comment ends it, and the LF behind belongs to it',
      stream: ':\r\ndata: a\r\n:\rdata: b\r\n\r\n',
      frames: [heartbeat, heartbeat, message('a\nb')],
    },
    {
      name: 'a CR after an unknown field ends it, and the LF behind belongs to it',
      stream: 'unknown: 1\r\ndata: a\r\nunknown\rdata: b\r\n\r\n',
      frames: [message('a\nb')],
    },
    {
      name: 'the line separators of Unicode, VT, FF and NEL end no line',
      stream: 'data: a\u2028b\u2029c\u0085d\u000Be\u000Cf\n\n',
      frames: [message('a\u2028b\u2029c\u0085d\u000Be\u000Cf')],
    },
    {
      name: 'empty lines before, between and after blocks are nothing',
      stream: '\n\n\r\n\rdata: a\n\n\n\n\r\r\n\ndata: b\n\n\n\n',
      frames: [message('a'), message('b')],
    },
    {
      name: 'an empty stream is nothing',
      stream: '',
      frames: [],
    },
  ],

  '9.2.6 Interpreting an event stream: lines': [
    {
      name: 'a line that starts with a colon is a comment, whatever follows',
      stream: ':\n: hello\n:data: x\n::\n',
      frames: [heartbeat, heartbeat, heartbeat, heartbeat],
    },
    {
      name: 'a block of comments alone is no message',
      stream: ': a\n: b\n\ndata: x\n\n',
      frames: [heartbeat, heartbeat, message('x')],
    },
    {
      name: 'a comment within a block leaves the block as it is',
      stream: 'event: e\n: here\ndata: a\n:\ndata: b\n\n',
      frames: [heartbeat, heartbeat, message('a\nb', { event: 'e' })],
    },
    {
      name: 'only one space after the colon is taken away',
      stream: 'data:a\ndata: b\ndata:  c\ndata:   \n\n',
      frames: [message('a\nb\n c\n  ')],
    },
    {
      name: 'a tab after the colon is kept',
      stream: 'data:\ta\nevent:\te\n\n',
      frames: [message('\ta', { event: '\te' })],
    },
    {
      name: 'spaces at the end of a value are kept',
      stream: 'data: a  \nevent: e \nid: 1 \n\n',
      frames: [message('a  ', { event: 'e ', id: '1 ' })],
    },
    {
      name: 'only the first colon parts name and value',
      stream: 'data: a: b:c\ndata::\ndata: :\nid:1:2\nevent::e\n\n',
      frames: [message('a: b:c\n:\n:', { id: '1:2', event: ':e' })],
    },
    {
      name: 'a line without a colon is a field with an empty value',
      stream: 'data\n\ndata\ndata\n\nevent: e\nevent\nid: 1\nid\ndata: x\n\n',
      frames: [message(''), message('\n'), position(''), message('x')],
    },
    {
      name: 'a space before the colon belongs to the name, which nobody knows then',
      stream: 'data : lost\ndata\t: lost\n\ndata: x\n\n',
      frames: [message('x')],
    },
    {
      name: 'a space before the name belongs to it',
      stream: ' data: lost\n\n\tdata: lost\n\ndata: x\n\n',
      frames: [message('x')],
    },
    {
      name: 'a line of one space is a field and not the end of a block',
      stream: 'data: a\n \ndata: b\n\n',
      frames: [message('a\nb')],
    },
  ],

  '9.2.6 Interpreting an event stream: fields': [
    {
      name: 'names are compared without folding case',
      stream: 'Data: lost\nDATA: lost\nEvent: lost\nID: 1\nRetry: 5\ndata: x\n\n',
      frames: [message('x')],
    },
    {
      name: 'unknown fields are ignored',
      stream: 'date: 1\ndat: 1\ndataa: 1\nx\nevents: e\ni: 1\nids: 1\nretr: 5\nretry2: 5\n-\ndata: x\n\n',
      frames: [message('x')],
    },
    {
      name: 'a block of unknown fields is no message',
      stream: 'foo: bar\n\ndata: x\n\n',
      frames: [message('x')],
    },
    {
      name: 'several data lines are joined with LF',
      stream: 'data: a\ndata: b\ndata: c\n\n',
      frames: [message('a\nb\nc')],
    },
    {
      name: 'of the final line feeds of data just one is taken away',
      stream: 'data: a\ndata:\n\ndata: b\ndata\ndata\n\n',
      frames: [message('a\n'), message('b\n\n')],
    },
    {
      name: 'empty data lines at the start are kept',
      stream: 'data:\ndata\ndata: a\n\n',
      frames: [message('\n\na')],
    },
    {
      name: 'an empty `data` is a message with empty data',
      stream: 'data:\n\ndata: \n\ndata\n\n',
      frames: [message(''), message(''), message('')],
    },
    {
      name: 'NUL in data is data',
      stream: 'data: a\0b\n\ndata:\0\n\n',
      frames: [message('a\0b'), message('\0')],
    },
    {
      name: 'NUL in the name of a field makes it unknown',
      stream: 'data\0: lost\n\0data: lost\n\ndata: x\n\n',
      frames: [message('x')],
    },
    {
      name: '`event` names one message and no other',
      stream: 'event: e\ndata: a\n\ndata: b\n\n',
      frames: [message('a', { event: 'e' }), message('b')],
    },
    {
      name: '`event` counts wherever it stands in its block, and the last one wins',
      stream: 'data: a\nevent: e\n\nevent: e\nevent: f\ndata: b\nevent: g\n\n',
      frames: [message('a', { event: 'e' }), message('b', { event: 'g' })],
    },
    {
      name: 'an empty `event` is `message`, also after another',
      stream: 'event:\ndata: a\n\nevent: e\nevent: \ndata: b\n\nevent: e\nevent\ndata: c\n\n',
      frames: [message('a'), message('b'), message('c')],
    },
    {
      name: 'an event may have any name, those of objects too',
      stream: 'event: __proto__\ndata: a\n\nevent: constructor\ndata: b\n\nevent: ünï 😀\ndata: c\n\n',
      frames: [
        message('a', { event: '__proto__' }),
        message('b', { event: 'constructor' }),
        message('c', { event: 'ünï 😀' }),
      ],
    },
    {
      name: '`id` counts wherever it stands in its block, and the last one wins',
      stream: 'data: a\nid: 1\n\nid: 2\ndata: b\nid: 3\n\n',
      frames: [message('a', { id: '1' }), message('b', { id: '3' })],
    },
    {
      name: 'an id with NUL is ignored, and the one before it stays',
      stream: 'id: 1\nid: 2\0\ndata: a\n\nid: \0\ndata: b\n\nid: \x003\n\n',
      frames: [message('a', { id: '1' }), message('b')],
    },
    {
      name: '`retry` of digits is the reconnection time, with or without the space',
      stream: 'retry: 1000\nretry:0\nretry: 007\n',
      frames: [retry(1000), retry(0), retry(7)],
    },
    {
      name: '`retry` of anything but ASCII digits is ignored',
      stream:
        'retry: 1s\nretry: -1\nretry: +1\nretry: 1.5\nretry: 1e3\nretry: 0x10\nretry:  1\nretry: 1 \nretry: \nretry\n' +
        'retry: ١٢\nretry: １\nretry: 1\0\nretry: Infinity\ndata: x\n\n',
      frames: [message('x')],
    },
    {
      name: '`retry` takes effect as its line ends, before the message in whose block it stands',
      stream: 'data: a\nretry: 5\ndata: b\n\n',
      frames: [retry(5), message('a\nb')],
    },
    {
      name: '`retry` counts in a block that is never finished',
      stream: 'data: lost\nretry: 5\n',
      frames: [retry(5)],
    },
    {
      name: '`retry` without the end of its line is nothing yet',
      stream: 'retry: 5',
      frames: [],
    },
    {
      name: 'a block of `retry` alone is no message',
      stream: 'retry: 5\n\ndata: x\n\n',
      frames: [retry(5), message('x')],
    },
    {
      name: 'lines may be long: values, comments, names and unknown fields',
      stream: `data: ${long}\nevent: ${long}\nid: ${long}\n:${long}\n${long}: ${long}\n\n`,
      frames: [heartbeat, message(long, { event: long, id: long })],
    },
  ],

  '9.2.6 Interpreting an event stream: dispatch': [
    {
      name: 'a block without data is no message, and its `event` is forgotten',
      stream: 'event: e\n\ndata: x\n\n',
      frames: [message('x')],
    },
    {
      name: 'a block with an id and no data moves the position',
      stream: 'id: 1\n\n',
      frames: [position('1')],
    },
    {
      name: 'a block with an id, an event and no data moves the position and is no message',
      stream: 'id: 1\nevent: e\n\ndata: x\n\n',
      frames: [position('1'), message('x')],
    },
    {
      name: 'positions keep their place among messages, comments and `retry`',
      stream:
        'id: 1\n\ndata: a\n\nid: 2\n\n: hi\n\nid: 3\n\nretry: 5\n\nid: 4\n\nid: 5\n\nid: 6\ndata: b\n\n',
      frames: [
        position('1'),
        message('a'),
        position('2'),
        heartbeat,
        position('3'),
        retry(5),
        position('4'),
        position('5'),
        message('b', { id: '6' }),
      ],
    },
    {
      name: 'a message without an id leaves the position where it is',
      stream: 'id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n',
      frames: [message('a', { id: '1' }), message('b'), message('c', { id: '2' })],
    },
    {
      name: 'an empty `id` sets the position back to the beginning, before its message',
      stream: 'id: 1\ndata: a\n\nid:\ndata: b\n\nid\n\n',
      frames: [message('a', { id: '1' }), position(''), message('b'), position('')],
    },
    {
      name: 'an id takes effect with its block and not with its line',
      stream: 'id: 1\ndata: a\n\nid: 2\ndata: lost',
      frames: [message('a', { id: '1' })],
    },
    {
      name: 'an empty id after another in the same block wins',
      stream: 'id: 1\nid:\ndata: a\n\n',
      frames: [position(''), message('a')],
    },
    {
      name: 'a block that the end of the stream cuts off is dropped',
      stream: 'data: a\n\nid: 2\nevent: e\ndata: lost\n',
      frames: [message('a')],
    },
    {
      name: 'a line that the end of the stream cuts off is dropped',
      stream: 'data: a\n\ndata: lost',
      frames: [message('a')],
    },
    {
      name: 'the examples of the standard: two lines, a comment, data alone and spaces',
      stream:
        ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n' +
        'data\n\ndata\ndata\n\ndata:',
      frames: [
        heartbeat,
        message('first event', { id: '1' }),
        position(''),
        message('second event'),
        message(' third event'),
        message(''),
        message('\n'),
      ],
    },
  ],

  'ours: reserved events, which a plain EventSource never notices': [
    {
      name: 'each reserved event is its frame',
      stream:
        'id: 7\nevent: ~hello\ndata: {"heartbeatMs":25000}\n\n' +
        'id: 8\nevent: ~gap\ndata: {"reason":"evicted","channels":["a"]}\n\n' +
        'id: 9\nevent: ~position\ndata\n\n' +
        'event: ~retry\ndata: 5\n\nevent: ~heartbeat\ndata\n\n' +
        'event: ~close\ndata: {"code":4008,"reason":"slow"}\n\n',
      frames: [
        { type: 'hello', id: '7', heartbeatMs: 25_000 },
        { type: 'gap', id: '8', gap: { reason: 'evicted', channels: ['a'] } },
        position('9'),
        retry(5),
        heartbeat,
        { type: 'close', close: { code: 4008, reason: 'slow' } },
      ],
    },
    {
      name: 'what a newer server adds to a frame is passed over',
      stream: 'event: ~hello\ndata: {"heartbeatMs":0,"new":[1]}\n\n',
      frames: [{ type: 'hello', id: '', heartbeatMs: 0 }],
    },
    {
      name: "a newer server's event is a sign of life and nothing more",
      stream: 'event: ~new\ndata: x\n\ndata: y\n\n',
      frames: [{ type: 'heartbeat' }, message('y')],
    },
    {
      name: 'an id moves the position whatever its event is',
      stream:
        'id: 1\nevent: ~new\ndata: x\n\nid: 2\nevent: ~heartbeat\ndata: x\n\nid: 3\nevent: ~retry\ndata: 5\n\n' +
        'id: 4\nevent: ~close\ndata: {"code":1001,"reason":""}\n\n',
      frames: [
        position('1'),
        position('2'),
        heartbeat,
        position('3'),
        retry(5),
        position('4'),
        { type: 'close', close: { code: 1001, reason: '' } },
      ],
    },
    {
      name: 'a tilde further on is an event of the application',
      stream: 'event: a~hello\ndata: x\n\nevent:  ~hello\ndata: x\n\n',
      frames: [message('x', { event: 'a~hello' }), message('x', { event: ' ~hello' })],
    },
    {
      name: 'a reserved event without data is nothing, as any other',
      stream: 'event: ~hello\n\nid: 1\nevent: ~close\n\n',
      frames: [position('1')],
    },
  ],

  'ours: data that no line can carry is a data: URL': [
    {
      name: 'bytes',
      stream: 'data: data:application/octet-stream;base64,AP8KDQ==\n\n',
      frames: [message(Uint8Array.of(0, 255, 10, 13))],
    },
    {
      name: 'no bytes',
      stream: 'data: data:application/octet-stream;base64,\n\n',
      frames: [message(new Uint8Array(0))],
    },
    {
      name: 'text',
      stream: 'data: data:text/plain;charset=utf-8;base64,77u/YQ1i\n\n',
      frames: [message('\uFEFFa\rb')],
    },
    {
      name: 'any other data: URL is text as it stands',
      stream:
        'data: data:,x\n\ndata: data:image/png;base64,AAAA\n\ndata: DATA:application/octet-stream;base64,AAAA\n\n' +
        'data:  data:application/octet-stream;base64,AAAA\n\n',
      frames: [
        message('data:,x'),
        message('data:image/png;base64,AAAA'),
        message('DATA:application/octet-stream;base64,AAAA'),
        message(' data:application/octet-stream;base64,AAAA'),
      ],
    },
    {
      name: 'what only begins like one of ours is text as it stands',
      stream:
        'data: data:application/octet-stream;base64,#\n\ndata: data:text/plain;charset=utf-8;base64,ü\n\n',
      frames: [
        message('data:application/octet-stream;base64,#'),
        message('data:text/plain;charset=utf-8;base64,ü'),
      ],
    },
  ],
}

for (const [section, cases] of Object.entries(sections)) {
  describe(section, () => {
    test.each(cases)('$name', ({ stream, frames }) => {
      const whole = bytes(stream)
      expect(decode([whole]), 'whole').toEqual(frames)
      expect(decode(cut(whole, [...whole.keys()])), 'byte by byte').toEqual(frames)
      for (const at of whole.keys()) {
        expect(decode(cut(whole, [at])), `cut at ${at}`).toEqual(frames)
      }
    })
  })
}

describe('limits', () => {
  const decodeUpTo = (maxMessageBytes: number, stream: string, cuts: readonly number[]) => {
    const decoder = codec.decoder({ maxMessageBytes })
    return cut(bytes(stream), cuts).flatMap((chunk) => decoder.push(chunk))
  }
  const tooBig = expect.objectContaining({ closeCode: 1009 })

  test.each([
    { name: 'a line without an end', stream: `data: ${'x'.repeat(4000)}` },
    { name: 'a comment without an end', stream: `:${'x'.repeat(4000)}` },
    { name: 'an id without an end', stream: `id: ${'x'.repeat(4000)}` },
    { name: 'data lines without an end', stream: 'data\n'.repeat(4000) },
    { name: 'one message', stream: `data: ${'x'.repeat(1001)}\n\n` },
    { name: 'one message, counted in bytes of UTF-8', stream: `data: ${'ü'.repeat(501)}\n\n` },
    { name: 'one message of several lines', stream: `${`data: ${'x'.repeat(100)}\n`.repeat(10)}\n` },
    {
      name: 'bytes',
      stream: `data: data:application/octet-stream;base64,${btoa('x'.repeat(1001))}\n\n`,
    },
  ])('$name over the limit is an error with 1009, however it is cut', ({ stream }) => {
    for (const cuts of [[], [1], [7], [800], [3000], [...bytes(stream).keys()]]) {
      expect(() => decodeUpTo(1000, stream, cuts), `cut at ${cuts.slice(0, 5)}`).toThrow(ProtocolError)
      expect(() => decodeUpTo(1000, stream, cuts)).toThrow(tooBig)
    }
  })

  test.each([
    { name: 'text', data: 'x'.repeat(10_000) },
    { name: 'text of two-byte characters', data: 'ü'.repeat(5000) },
    { name: 'many empty lines', data: '\n'.repeat(10_000) },
    { name: 'text with CR', data: `\r${'x'.repeat(9999)}` },
    { name: 'bytes', data: new Uint8Array(10_000) },
  ])('a message of exactly the limit passes: $name', ({ data }) => {
    const stream = encode(message(data, { id: '1' }))
    for (const cuts of [[], [...bytes(stream).keys()]]) {
      expect(decodeUpTo(10_000, stream, cuts)).toEqual([message(data, { id: '1' })])
    }
  })

  test('an unknown field costs nothing, however long its line is', () => {
    const decoder = codec.decoder({ maxMessageBytes: 1000 })
    for (let n = 0; n < 1000; n += 1) expect(decoder.push(bytes('x'.repeat(1000)))).toEqual([])
    expect(decoder.push('\ndata: x\n\n')).toEqual([message('x')])
  })
})

describe('malformed frames of our own are an error with 1002', () => {
  test.each([
    'event: ~hello\ndata: x\n\n',
    'event: ~hello\ndata: null\n\n',
    'event: ~hello\ndata: {}\n\n',
    'event: ~hello\ndata: {"heartbeatMs":-1}\n\n',
    'event: ~gap\ndata: {"reason":"other","channels":[]}\n\n',
    'event: ~gap\ndata: {"reason":"epoch","channels":[1]}\n\n',
    'event: ~retry\ndata: 1s\n\n',
    'event: ~close\ndata: {"code":1,"reason":""}\n\n',
    'event: ~close\ndata: {"code":1000}\n\n',
    'event: ~close\ndata: data:application/octet-stream;base64,AAAA\n\n',
  ])('%j', (stream) => {
    for (const cuts of [[], [...bytes(stream).keys()]]) {
      const decoder = codec.decoder()
      const read = () => cut(bytes(stream), cuts).flatMap((chunk) => decoder.push(chunk))
      expect(read).toThrow(expect.objectContaining({ name: 'ProtocolError', closeCode: 1002 }))
    }
  })
})

// A failure prints the path of its counterexample, which together with this repeats it.
const seed = 20_260_921

test('random streams, cut at random, are read as the standard reads them', () => {
  fc.assert(
    fc.property(streams, cuts, (stream, cuts) => {
      // A reserved event of a newer server is a sign of life to us, as a comment is, and neither is to be seen.
      const visible = (seen: Seen[]) => seen.filter((one) => one !== 'comment')
      expect(visible(asSeen(decode(cut(stream, cuts))))).toEqual(visible(referenceReader(stream)))
    }),
    { seed, numRuns: 4000 },
  )
})

describe('what is written', () => {
  test('is read back as it was, by us', () => {
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 8 }), cuts, (frames, cuts) => {
        expect(decode(cut(bytes(frames.map(encode).join('')), cuts))).toEqual(frames)
      }),
      { seed, numRuns: 2000 },
    )
  })

  test('reaches a plain client as messages, with their ids, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 8 }), (frames) => {
        let lastEventId = ''
        const expected: Seen[] = []
        for (const frame of frames) {
          if (frame.type === 'message') {
            lastEventId = frame.message.id || lastEventId
            expected.push({ ...frame.message, data: asPlainData(frame.message.data), id: lastEventId })
          } else if ('id' in frame) {
            lastEventId = frame.id || lastEventId
          } else if (frame.type === 'retry') {
            expected.push({ retryMs: frame.retryMs })
          } else if (frame.type === 'heartbeat') {
            expected.push('comment')
          }
        }
        expect(referenceReader(bytes(frames.map(encode).join('')))).toEqual([...expected, { lastEventId }])
      }),
      { seed, numRuns: 2000 },
    )
  })

  test.each([
    { name: 'bytes', data: Uint8Array.from({ length: 256 }, (_, byte) => byte) },
    { name: 'no bytes', data: new Uint8Array(0) },
    { name: 'a view of a larger buffer', data: Uint8Array.from([1, 2, 3, 4]).subarray(1, 3) },
    { name: 'many bytes', data: new Uint8Array(100_000).fill(7) },
    { name: 'text with CR', data: 'a\rb\r\nü\r' },
    { name: 'text that looks like our bytes', data: 'data:application/octet-stream;base64,AAAA' },
    { name: 'text that looks like our text', data: 'data:text/plain;charset=utf-8;base64,AAAA' },
  ])('describes itself to a plain client, which can fetch it: $name', async ({ data }) => {
    const [seen] = referenceReader(bytes(encode(message(data))))
    const response = await fetch((seen as Message).data as string)
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array(bytes(data)))
    expect(response.headers.get('Content-Type')).toBe(
      typeof data === 'string' ? 'text/plain;charset=utf-8' : 'application/octet-stream',
    )
  })

  test('is text as it stands wherever a line can carry it', () => {
    expect(encode(message('data:,x\n id: 7\n\n: \0'))).toBe(
      'event: message\ndata: data:,x\ndata:  id: 7\ndata: \ndata: : \0\n\n',
    )
  })

  test('half a surrogate pair, which UTF-8 cannot say, arrives as U+FFFD', () => {
    expect(decode([bytes(encode(message('a\uD83Db')))])).toEqual([message('a\uFFFDb')])
  })
})

/** What stands in the data lines, by the rule of docs/protocol.md and not by our code. */
function asPlainData(data: string | Uint8Array): string {
  if (typeof data !== 'string') {
    return `data:application/octet-stream;base64,${Buffer.from(data).toString('base64')}`
  }
  const isPlain =
    !data.includes('\r') && !/^data:(application\/octet-stream|text\/plain;charset=utf-8);base64,/.test(data)
  return isPlain ? data : `data:text/plain;charset=utf-8;base64,${Buffer.from(data).toString('base64')}`
}

const lines = fc.tuple(
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('data', 'event', 'id', 'retry', '') },
    {
      weight: 2,
      arbitrary: fc.constantFrom('Data', 'datax', 'dat', 'i', 'idx', 'r', ' data', '\uFEFFdata', 'data\0'),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
  ),
  fc.constantFrom(': ', ':', ':  ', '::', '', ' '),
  fc.oneof(
    fc.constantFrom('', ' ', 'x', '1', '0042', '1a', 'ü', '😀', '\0', '7\0', '~new', 'a:b', '\uFEFF', '\t'),
    fc.string({ unit: 'binary', maxLength: 8 }),
  ),
  fc.constantFrom('\n', '\r', '\r\n', '\n\n', '\r\r', '\r\n\r\n', '\n\r', '\r\r\n', ''),
)
const pieces = fc.oneof(
  { weight: 9, arbitrary: lines.map((parts) => bytes(parts.join(''))) },
  { weight: 2, arbitrary: fc.constantFrom('\n', '\r', '\r\n').map((end) => bytes(end)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 3 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom([0xef, 0xbb, 0xbf], [0xef, 0xbb], [0xc3], [0xf0, 0x9f]).map((b) => bytes(b)),
  },
)
const streams = fc.array(pieces, { maxLength: 30 }).map((parts) => bytes(...parts))
/** Many cuts, few or none. */
const cuts = fc.oneof(
  fc.array(fc.nat(400), { maxLength: 6 }),
  fc.array(fc.nat(400), { minLength: 50, maxLength: 200 }),
)

const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        '\r',
        '\n',
        '\0',
        ' ',
        ':',
        'data:',
        'id: 1',
        '\uFEFF',
        'ü',
        '😀',
        'x',
        ';base64,AAAA',
        'text/plain;charset=utf-8',
        'application/octet-stream',
      ),
    )
    .map((parts) => parts.join('')),
)
const ids = fc.oneof(fc.constant(''), fc.stringMatching(/^[!-~]([ -~]{0,12}[!-~])?$/))
const events = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 20 })
  .filter((name) => !/[\r\n\0]|^~/.test(name))
const frames: fc.Arbitrary<Frame> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(events, fc.oneof(texts, fc.uint8Array({ maxLength: 200 })), ids)
      .map(([event, data, id]): Frame => ({ type: 'message', message: createMessage(event, data, id) })),
  },
  fc.record({ type: fc.constant('hello'), id: ids, heartbeatMs: fc.nat() }),
  fc.record({ type: fc.constant('position'), id: ids }),
  fc.record({
    type: fc.constant('gap'),
    id: ids,
    gap: fc.record({ reason: fc.constantFrom('evicted', 'epoch', 'unknown'), channels: fc.array(events) }),
  }),
  fc.record({ type: fc.constant('retry'), retryMs: fc.nat() }),
  fc.constant(heartbeat),
  fc.record({
    type: fc.constant('close'),
    close: fc.record({ code: fc.integer({ min: 1000, max: 4999 }), reason: texts }),
  }),
)

function decode(chunks: readonly Uint8Array[]): Frame[] {
  const decoder = codec.decoder()
  return chunks.flatMap((chunk) => decoder.push(chunk))
}

const encode = (frame: Frame): string => codec.encode(frame) as string

/** Bytes, and text as UTF-8, one after another. */
function bytes(...parts: readonly (string | Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts.map((part) => Buffer.from(part as string))))
}

function cut(stream: Uint8Array, at: readonly number[]): Uint8Array[] {
  const edges = [0, ...at.filter((edge) => edge < stream.byteLength).sort((a, b) => a - b), stream.byteLength]
  return edges.slice(1).map((end, index) => stream.subarray(edges[index], end))
}
