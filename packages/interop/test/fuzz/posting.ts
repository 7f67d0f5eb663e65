import { linked, type Message, type ServerConnection } from '@eitherway/core'
import { assert, assertEqual } from '@eitherway/core/testing'
import { createLinks, type Links, type Taken } from '@eitherway/post/links'
import type { Target } from './target.ts'

/** What comes of a POST of ours. */
const statuses = new Set([400, 404, 409, 413, 415, 429])
const codes = new Set([1000, 1001, 1002, 1007, 1009, 4029])

/** What a link has made of the bodies that were posted to it. */
interface Outcome {
  readonly answers: readonly (Taken | { readonly status: number })[]
  readonly heard: readonly Message[]
  readonly code: number
}

/** The body of a POST, to a link: what is taken of it is taken once, however the body comes and however often. */
export const posting: Target = {
  name: 'posting',
  seeds: [
    'data: 1\n\nevent: e\ndata: {"a":1}\n\n',
    'event: ~request:1:sum\ndata: [1,2]\n\nevent: ~abort:1\ndata\n\n',
    'data: 1\r\n\r\ndata: data:application/octet-stream;base64,AAEC\r\n\r\n',
    'data: x\n\nevent: ~close\ndata: {"code":4000,"reason":"x"}\n\ndata: late\n\n',
    ': c\n\nid: 1\nretry: 5\nevent: ~hello\ndata: {"heartbeatMs":1}\n\ndata: 2\n\n',
  ],
  words: [
    ...'data: |data|event: |id: |retry: |: |\n\n|\r\r|\r\n|~close|~gap|~new|~request:1:a|~abort:1'.split('|'),
    '{"code":4000,"reason":"x"}',
    '{"code":1005,"reason":""}',
    'data:text/plain;charset=utf-8;base64,',
    'x'.repeat(64),
    'a\n'.repeat(300),
    '\xff',
    '\xef\xbb\xbf',
    '\0',
  ],
  async run(input) {
    const once = await post([input], input.byteLength)
    for (const { status } of once.answers.filter((answer) => 'status' in answer)) {
      assert(statuses.has(status), `answered by ${status}`)
    }
    const left = once.code >= 3000 && once.code <= 4999
    assert(codes.has(once.code) || left, `the link ended with ${once.code}`)
    for (const { event, data } of once.heard) {
      assert(new TextEncoder().encode(event).byteLength <= 3 * 255, 'an event that is too long was taken')
      assert(
        (typeof data === 'string' ? new TextEncoder().encode(data) : data).byteLength <= 256,
        'too much was taken',
      )
    }
    const [answer] = once.answers
    if (answer !== undefined && 'seq' in answer && once.code === 1001) {
      assertEqual(answer.seq, once.heard.length, 'what is acknowledged, and what was taken')
    }
    assertEqual(await post([input], 3), once, 'in pieces')
    const twice = await post([input, input], input.byteLength)
    assertEqual([twice.heard, twice.code], [once.heard, once.code], 'posted twice')
  },
}

async function post(bodies: readonly Uint8Array[], size: number): Promise<Outcome> {
  const links = createLinks({ maxMessageBytes: 256 })
  const { key, connection, heard } = await open(links)
  const answers: Outcome['answers'][number][] = []
  for (const body of bodies) {
    const answer = await links.receive({
      key,
      seq: '1',
      authorization: undefined,
      contentType: 'text/event-stream',
      contentEncoding: undefined,
      contentLength: undefined,
      body: piecesOf(body, Math.max(1, size)),
    })
    answers.push('seq' in answer ? answer : { status: answer.status })
  }
  // One that has ended stays as it is.
  connection.close({ code: 1001, reason: '' })
  return { answers, heard, code: (await connection.closed).code }
}

interface Open {
  readonly key: string
  readonly connection: ServerConnection
  readonly heard: readonly Message[]
}

async function open(links: Links): Promise<Open> {
  const heard: Message[] = []
  let taken: ServerConnection | undefined
  const { key, accept } = await links.open((connection) => {
    taken = connection
    connection.attach?.({
      ended: () => undefined,
      arrived(waiting) {
        for (let message = waiting.shift(); message !== undefined; message = waiting.shift())
          heard.push(message)
      },
    })
  }, undefined)
  await linked(accept, { direction: 'one-way' }).connect(new URL('http://test/live'), {
    lastEventId: '',
    channels: [],
    signal: new AbortController().signal,
  })
  if (taken === undefined) throw new Error('no link came')
  return { key, connection: taken, heard }
}

async function* piecesOf(body: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < body.byteLength; at += size) yield body.subarray(at, at + size)
}
