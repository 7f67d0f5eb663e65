import { callMessage } from '../call.ts'
import type { Frame } from '../frame.ts'
import { createMessage, type Message } from '../message.ts'
import { seeded } from './suite.ts'

/** Every byte there is, in order. */
const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)

/** Data that a wire may harm, each with a name for what could go wrong. */
export const dataSamples: readonly (readonly [name: string, data: string | Uint8Array])[] = [
  ['plain text', 'hello'],
  ['empty text', ''],
  ['JSON', '{"EURUSD":1.08,"at":"12:00"}'],
  ['a space in front', ' hello'],
  ['spaces around', '  hello  '],
  ['two lines', 'first\nsecond'],
  ['a line feed at the end', 'line\n'],
  ['only a line feed', '\n'],
  ['many empty lines', '\n\n\n\n'],
  ['a carriage return', 'first\rsecond'],
  ['carriage return and line feed', 'first\r\nsecond'],
  ['both, the other way round', 'first\n\rsecond\r'],
  ['a NUL', 'nul\0nul'],
  ['a byte order mark in front', '\uFEFFmark'],
  ['characters of two, three and four bytes', 'ü € 😀 ﷽'],
  ['what looks like fields', 'data: x\nid: 7\nevent: y\nretry: 1\n: z'],
  ['what looks like the end of a block', 'x\n\ndata: y'],
  ['a colon in front', ':comment?'],
  ['what looks like bytes of ours', 'data:application/octet-stream;base64,AAAA'],
  ['what looks like text of ours', 'data:text/plain;charset=utf-8;base64,AAAA'],
  ['another data: URL', 'data:image/png;base64,iVBORw0KGgo='],
  ['the line separators of Unicode', 'a\u0085b\u2028c\u2029d'],
  ['a long line', 'x'.repeat(70_000)],
  ['many lines', 'line\n'.repeat(2_000)],
  ['no bytes', new Uint8Array(0)],
  ['every byte', everyByte],
  ['line feeds as bytes', Uint8Array.of(10, 10, 13, 0, 10)],
  ['many bytes', Uint8Array.from({ length: 70_000 }, (_, at) => at % 251)],
]

/** Names and ids at the edges of what is allowed. */
const nameSamples: readonly (readonly [event: string, id: string])[] = [
  ['message', ''],
  ['message', '1'],
  ['x', 'k3f9x2-42'],
  ['with space', 'a b'],
  [' space in front', '~'],
  ['data', ':'],
  ['naïve €😀', 'id: 7'],
  ['with: colon', '!'.repeat(128)],
  ['e'.repeat(255), '0'],
  ['__proto__', 'constructor'],
]

/** Messages that every wire must carry unharmed. */
export const messageSamples: readonly (readonly [name: string, message: Message])[] = [
  ...dataSamples.map(([name, data]) => [name, createMessage('sample', data, 'k3f9x2-42')] as const),
  ...nameSamples.map(
    ([event, id]) =>
      [
        `event ${JSON.stringify(event.slice(0, 20))}, id ${JSON.stringify(id.slice(0, 20))}`,
        createMessage(event, 'x', id),
      ] as const,
  ),
]

/** Words of calls, which every wire that is two-way must carry as it carries messages. */
export const callSamples: readonly (readonly [name: string, message: Message])[] = [
  ...dataSamples.flatMap(([name, data], number) => [
    [`a request with ${name}`, callMessage({ type: 'request', number, name: 'sum', data })] as const,
    [`a reply with ${name}`, callMessage({ type: 'reply', number, data })] as const,
  ]),
  ...['x'.repeat(200), 'with: colon', ' space in front', 'naïve €😀', '~', '1:2'].map(
    (name) =>
      [
        `a request of the name ${JSON.stringify(name.slice(0, 20))}`,
        callMessage({ type: 'request', number: 999_999_999_999_999, name, data: '1' }),
      ] as const,
  ),
  ['an abort', callMessage({ type: 'abort', number: 0 })],
  ['a failure', callMessage({ type: 'failure', number: 7, data: '{"code":"sold-out","message":"ü\n€"}' })],
]

/** One of each frame of the protocol itself. */
export const frameSamples: readonly Frame[] = [
  { type: 'hello', id: 'k3f9x2-0', heartbeatMs: 25_000 },
  { type: 'hello', id: '', heartbeatMs: 0 },
  { type: 'position', id: 'k3f9x2-7' },
  { type: 'gap', id: 'k3f9x2-9', gap: { reason: 'evicted', channels: ['prices', 'naïve €😀'] } },
  { type: 'gap', id: '', gap: { reason: 'epoch', channels: ['prices'] } },
  { type: 'gap', id: 'k3f9x2-9', gap: { reason: 'unknown', channels: [] } },
  { type: 'retry', retryMs: 0 },
  { type: 'retry', retryMs: 15_000 },
  { type: 'heartbeat' },
  { type: 'close', close: { code: 1000, reason: '' } },
  { type: 'close', close: { code: 4008, reason: 'read faster, "please" — ü' } },
]

/** Text of so many bytes that hardly compresses, so that a wire which does still has to carry it. */
export function noise(bytes: number): string {
  const random = seeded(1)
  return Array.from({ length: bytes }, () => String.fromCharCode(33 + Math.floor(random() * 94))).join('')
}
