import { type Attack, type AttackTarget, type Outcome, requestOf } from './attack.ts'

/** One POST, as it differs from one that is fine. */
interface Posted {
  readonly key?: string
  readonly seq?: string
  readonly body?: string
  readonly headers?: readonly string[]
  /** The length that the head announces, where that is not the truth. */
  readonly length?: number
}

const fine = 'event: echo\ndata: "back"\n\n'

/** The bytes of a POST. Without a type the entrance's own is sent. */
function post(
  { entrance, path, keys }: AttackTarget,
  { key = keys.own, seq = '1', body = fine, headers = [], length = body.length }: Posted,
): string {
  const head = [`Eitherway-Link: ${key}`, `Eitherway-Seq: ${seq}`, `Content-Length: ${length}`, ...headers]
  return requestOf(entrance, path, head) + body
}

/** An attack by POSTs, one behind the other on one connection. */
const posted = (
  name: string,
  source: string,
  of: (target: AttackTarget) => Posted | readonly Posted[],
  comes: Outcome,
): Attack => ({
  name,
  source,
  needs: ['body'],
  bytes: (target) => [of(target)].flat().map((each) => post(target, each)),
  comes,
})

const refused = (...status: number[]): Outcome => ({ status })

/** What does harm wherever it is done, and asks for nothing that only a link has. */
const everywhere = new Set([
  'connecting and leaving at once, 200 times',
  'headers without end',
  'one header without end',
  'bytes of no protocol',
  'a request line without end',
])

/** What was done to servers that take messages by POST, and what may be done to this one. */
export const bodies = (requests: readonly Attack[]): readonly Attack[] => [
  ...requests
    .filter(({ name }) => everywhere.has(name))
    .map((attack): Attack => ({ ...attack, needs: ['body'] })),
  ...['', 'x', '__proto__', '..', `${'a'.repeat(16)}.${'b'.repeat(22)}`, 'a.'.repeat(4000)].map((key) =>
    posted(`the guessed key ${key.slice(0, 40)}`, 'CVE-2025-6515', () => ({ key }), refused(400, 404, 503)),
  ),
  posted('a key of one letter less', 'ours', ({ keys }) => ({ key: keys.own.slice(0, -1) }), refused(404)),
  posted('a key of one letter more', 'ours', ({ keys }) => ({ key: `${keys.own}A` }), refused(404)),
  posted(
    "this node's name and another key",
    'CVE-2025-6515',
    ({ keys }) => ({ key: `${keys.own.slice(0, 17)}${'A'.repeat(22)}` }),
    refused(404),
  ),
  posted("somebody else's key", 'CVE-2025-6515', ({ keys }) => ({ key: keys.theirs }), refused(404)),
  posted(
    "somebody else's key with a token of one's own",
    'CVE-2025-6515',
    ({ keys }) => ({ key: keys.theirs, headers: ['Authorization: Bearer mine'] }),
    refused(404),
  ),
  posted(
    "one's own key with somebody's token",
    'ours',
    () => ({ headers: ['Authorization: Bearer theirs'] }),
    refused(404),
  ),
  posted(
    'two keys',
    'request smuggling',
    ({ keys }) => ({ headers: [`Eitherway-Link: ${keys.theirs}`] }),
    refused(400, 404),
  ),
  ...['0', '-1', '1.5', '1e3', 'NaN', '', '0x1', '99999999999999999999', '01', '1, 2', '__proto__'].map(
    (seq) => posted(`the number ${seq}`, 'ours', () => ({ seq }), refused(400)),
  ),
  posted('a hole in the numbers', 'ours', () => ({ seq: '2' }), refused(409)),
  posted('a number far ahead', 'ours', () => ({ seq: '999999999999999' }), refused(409)),
  posted('a body without end of its last block', 'HTML 9.2.6', () => ({ body: 'data: "x"\n' }), refused(400)),
  posted('a body that is not UTF-8', 'HTML 9.2.5', () => ({ body: 'data: "\xff"\n\n' }), refused(400)),
  posted(
    'a body of another type',
    'cross-site request forgery',
    ({ entrance }) => ({ headers: entrance.headers.map(() => 'Content-Type: text/plain') }),
    refused(400, 415),
  ),
  posted('a body in gzip', 'CVE-2024-28863', () => ({ headers: ['Content-Encoding: gzip'] }), refused(415)),
  posted('a body of an announced gigabyte', 'CVE-2020-27813', () => ({ length: 2 ** 30 }), refused(413)),
  ...['a', ':', 'retry: 1'].map((line) =>
    posted(
      `lines of ${JSON.stringify(line)} without end`,
      'ours',
      () => ({ body: `${`${line}\n`.repeat(2000)}\n` }),
      { ends: 1002 },
    ),
  ),
  posted('a message over the limit', 'CVE-2016-10542', () => ({ body: `data: ${'x'.repeat(5000)}\n\n` }), {
    ends: 1009,
  }),
  posted(
    'more messages than anybody may send',
    'CVE-2020-36048',
    () => ({ body: 'data: 1\n\n'.repeat(5000) }),
    {
      ends: 4029,
    },
  ),
  posted('JSON that is none', 'CVE-2022-2421', () => ({ body: 'data: {"a":\n\n' }), { ends: 1007 }),
  posted(
    'JSON 1,000 deep',
    'CVE-2026-30241',
    () => ({ body: `data: ${'['.repeat(1000)}${']'.repeat(1000)}\n\n` }),
    {
      ends: 1007,
    },
  ),
  posted('an event of 300 bytes', 'ours', () => ({ body: `event: ${'e'.repeat(300)}\ndata: 1\n\n` }), {
    ends: 1002,
  }),
  posted('a broken frame of the protocol', 'ours', () => ({ body: 'event: ~close\ndata: {\n\n' }), {
    ends: 1002,
  }),
  posted(
    'a close with 1005',
    'RFC 6455 7.4',
    () => ({ body: 'event: ~close\ndata: {"code":1005,"reason":""}\n\n' }),
    { ends: 1002 },
  ),
  posted(
    'frames that only servers send',
    'ours',
    () => ({
      body: `: x\n\nretry: 1\nid: 1\nevent: ~hello\ndata: {"heartbeatMs":1}\n\nevent: ~gap\ndata: {"reason":"slow","channels":["mine"]}\n\nevent: ~new\ndata: x\n\n${fine}`,
    }),
    { hears: 'event: echo' },
  ),
  posted(
    'messages behind a close',
    'RFC 6455 5.5.1',
    () => ({ body: `event: ~close\ndata: {"code":4999,"reason":"bye"}\n\n${fine.repeat(100)}` }),
    { ends: 4999 },
  ),
  posted('line ends in a name', 'CVE-2026-33128', () => ({ body: 'event: a\rdata: injected\r\r' }), {
    ends: 1007,
  }),
  posted('a hundred replays of one body', 'ours', () => Array.from({ length: 100 }, () => ({})), {
    hears: 'event: echo',
  }),
  posted(
    'fifty POSTs behind one another',
    'request smuggling',
    () => Array.from({ length: 50 }, (_, at) => ({ seq: String(at + 1) })),
    'service',
  ),
  posted(
    'a POST that is a stream as well',
    'request smuggling',
    () => ({ body: `${fine}GET /live?channel=theirs HTTP/1.1\r\nHost: test\r\n\r\n`, length: fine.length }),
    'service',
  ),
  {
    name: 'bodies in chunks without end',
    source: 'CVE-2020-27813',
    needs: ['body'],
    *bytes(target) {
      const { entrance, path, keys } = target
      const head = [`Eitherway-Link: ${keys.own}`, 'Eitherway-Seq: 1', 'Transfer-Encoding: chunked']
      yield requestOf(entrance, path, head)
      for (let sent = 0; sent < 64; sent += 1) yield `4000\r\n${':'.repeat(0x4000)}\r\n`
    },
    comes: refused(413),
  },
  {
    name: 'a body that breaks off, twelve times',
    source: 'slowloris',
    needs: ['body'],
    times: 12,
    bytes: (target) => [post(target, { length: 1000 })],
    comes: 'anything',
  },
  {
    name: 'five bodies that never end, on five connections',
    source: 'slowloris',
    needs: ['body'],
    times: 5,
    bytes: (target) => [post(target, { body: ':'.repeat(10), length: 100_000 })],
    comes: 'anything',
  },
  {
    name: 'a body byte by byte',
    source: 'slowloris',
    needs: ['body'],
    bytes: (target) => post(target, {}),
    comes: { hears: 'event: echo' },
  },
]
