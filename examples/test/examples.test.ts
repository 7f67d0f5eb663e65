import { execFileSync } from 'node:child_process'
import { on, once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { listen, root, run, start } from './program.ts'

// The examples are plain JavaScript and import what a user would install: the build.
beforeAll(() => {
  execFileSync(process.execPath, [
    `${root}/node_modules/typescript/bin/tsc`,
    '-b',
    `${root}/packages/client`,
    `${root}/packages/react`,
    `${root}/packages/server`,
  ])
}, 120_000)

const numbers = Array.from({ length: 10 }, (_, index) => index + 1)
const block = (i: number) => `retry: 15000\nid: message_id_${i}\nevent: message\ndata: Message ${i}\n\n`

describe('01-sse-server', () => {
  test('sends ten messages in order, each with id, event, retry and data, and ends the stream', async () => {
    const server = await listen('01-sse-server', '--interval-ms', '1')
    const response = await fetch(server.url)
    expect(response.status).toBe(200)
    expect(response.headers.get('Content-Type')).toBe('text/event-stream')
    // Eitherway's own events are for its own client; an EventSource passes them over, and so does this test.
    const blocks = (await response.text()).split(/(?<=\n\n)/).filter((text) => !text.includes('event: ~'))
    expect(blocks).toEqual(numbers.map(block))
    await server.prints(/^all messages sent$/m)
  })

  test('leaves a second between two messages unless told otherwise', async () => {
    const server = await listen('01-sse-server')
    // From before the request, so that a late arrival of the first message takes nothing off.
    const start = performance.now()
    for await (const text of texts(await fetch(server.url))) if (text.includes('data: Message 2')) break
    expect(performance.now() - start).toBeGreaterThan(990)
    await server.prints(/^client left after 2 messages$/m)
  })

  test('stops at once when the client goes away, not when the wait is over', async () => {
    const server = await listen('01-sse-server', '--interval-ms', '3600000')
    const abort = new AbortController()
    const response = await fetch(server.url, { signal: abort.signal })
    for await (const text of texts(response)) if (text.includes('data: Message 1')) break
    abort.abort()
    await server.prints(/^client left after 1 messages$/m)
    expect(server.stderr).toBe('')
  })

  test('goes on where a client that comes back left off', async () => {
    const server = await listen('01-sse-server', '--interval-ms', '1')
    const response = await fetch(server.url, { headers: { 'Last-Event-ID': 'message_id_8' } })
    const ids = [...(await response.text()).matchAll(/^id: (.*)$/gm)].map(([, id]) => id)
    expect(ids).toEqual(['message_id_9', 'message_id_10'])
  })
})

describe('10-react', () => {
  test('serves a page that it rendered, its script, and the prices that the page reads', async () => {
    const server = await listen('10-react')
    expect(await (await fetch(server.url)).text()).toContain(
      '<main><p>connecting<!-- --> </p><ul></ul></main>',
    )
    expect(await (await fetch(`${server.url}page.js`)).text()).toContain('hydrateRoot')
    expect(await (await fetch(`${server.url}prices`)).json()).toMatchObject({ EURCHF: 0.95 })
  })
})

describe('testing', () => {
  test('the board is tested by Node as well', async () => {
    const { code, stdout } = await start(process.execPath, ['--test', 'examples/testing/board.node.js']).ended
    expect(stdout).toMatch(/pass 1\b/)
    expect(code).toBe(0)
  })
})

describe('02-sse-client', () => {
  test('prints the lines of all ten messages of 01-sse-server, and ends', async () => {
    const server = await listen('01-sse-server', '--interval-ms', '1')
    const { code, stdout, stderr } = await run('02-sse-client', '--url', server.url).ended
    expect(stdout.replace(/^retry: 500\n/, '')).toBe(numbers.map(block).join(''))
    expect(stderr).toBe('end of the stream: 1000 \n')
    expect(code).toBe(0)
  })

  test('prints each line when it comes, not when the stream ends', async () => {
    const server = await listen('01-sse-server', '--interval-ms', '3600000')
    const client = run('02-sse-client', '--url', server.url)
    await client.prints(/^data: Message 1$/m)
    client.child.kill('SIGINT')
    await server.prints(/^client left after 1 messages$/m)
  })

  test('reads a server that is not ours', async () => {
    const url = await answering((response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.end('data: one\r\ndata: two\r\n\r\n: a comment\n\nevent: price\ndata: 1.08\nid: 7\n\n')
    })
    const { code, stdout } = await run('02-sse-client', '--url', url).ended
    expect(stdout).toBe('event: message\ndata: one\ndata: two\n\nid: 7\nevent: price\ndata: 1.08\n\n')
    expect(code).toBe(0)
  })

  test.each([204, 401, 404, 429, 500, 503])('says that the server answered %i', async (status) => {
    const url = await answering((response) => response.writeHead(status).end())
    const { code, stdout, stderr } = await run('02-sse-client', '--url', url).ended
    expect(stdout).toBe(`Failed to connect to SSE stream. Status code: ${status}\n`)
    expect(stderr).toBe('')
    expect(code).toBe(1)
  })

  test.each([
    ['a page instead of a stream', page, /^http\S+ answered with content type "text\/html"; .*\n$/],
    ['nobody who listens', nobody, /^http\S+ could not be reached: connect ECONNREFUSED .*\n$/],
  ])('says in one line that there is %s', async (_, where, line) => {
    const { code, stdout, stderr } = await run('02-sse-client', '--url', await where()).ended
    expect(stdout).toMatch(line)
    expect(stderr).toBe('')
    expect(code).toBe(1)
  })
})

describe('03-ws-server', () => {
  test('answers each text, in order', async () => {
    const server = await listen('03-ws-server')
    const socket = new WebSocket(server.url)
    const answers = messages(socket)
    await once(socket, 'open')
    for (const text of ['hello', '', 'two\nlines', 'ünï 🎉']) socket.send(text)
    for (const text of ['hello', '', 'two\nlines', 'ünï 🎉']) {
      expect((await answers.next()).value).toBe(`Message text was: ${text}`)
    }
    socket.close(1000)
    await server.prints(/^client left \(1000\)$/m)
  })

  test('goes on after a client that is cut off, and one that sends bytes', async () => {
    const server = await listen('03-ws-server')
    const cut = new WebSocket(server.url)
    await once(cut, 'open')
    cut.send('not waited for')
    await setImmediate()
    cut.terminate()
    await server.prints(/^client left \(1006\)$/m)

    const wrong = new WebSocket(server.url)
    await once(wrong, 'open')
    wrong.send(Uint8Array.of(0, 255))
    expect((await once(wrong, 'close')).map(String)).toEqual(['1003', 'text only, please'])

    const next = new WebSocket(server.url)
    const answers = messages(next)
    await once(next, 'open')
    next.send('still there?')
    expect((await answers.next()).value).toBe('Message text was: still there?')
    expect(server.stderr).toBe('')
  })
})

describe('04-ws-client', () => {
  const prompt = 'Enter a message to send: '

  test('asks, sends, prints the answer of 03-ws-server, and ends', async () => {
    const server = await listen('03-ws-server')
    const client = run('04-ws-client', '--url', server.url)
    await client.prints(/Enter a message to send: $/)
    client.child.stdin.write('hello\n') // and the input stays open
    const { code, stdout, stderr } = await client.ended
    expect(stdout).toBe(`${prompt}Received: Message text was: hello\n`)
    expect(stderr).toBe('')
    expect(code).toBe(0)
    await server.prints(/^client left \(1000\)$/m)
  })

  test('ends without a word when the input does', async () => {
    const client = run('04-ws-client', '--url', await nobody())
    client.child.stdin.end()
    expect(await client.ended).toEqual({ code: 0, stdout: prompt, stderr: '' })
  })

  test('says in one line why there is no answer', async () => {
    const client = run('04-ws-client', '--url', await nobody())
    client.child.stdin.end('hello')
    const { code, stderr } = await client.ended
    expect(stderr).toMatch(/^no answer: 1006 \S+ could not be reached: connect ECONNREFUSED .*\n$/)
    expect(code).toBe(1)
  })
})

test('08-both-ways-over-http asks, is answered in order, and ends', async () => {
  const { code, stdout, stderr } = await run('08-both-ways-over-http').ended
  expect([code, stderr]).toEqual([0, ''])
  const said = (who: string) => lines(stdout).filter((line) => line.startsWith(who))
  const questions = ['one', 'two', 'three']
  expect(said('the hub')).toEqual(questions.map((text) => `the hub got question ${text}`))
  expect(said('the client')).toEqual(questions.map((text) => `the client got answer ${text.toUpperCase()}`))
  expect([lines(stdout)[0], lines(stdout).at(-1)]).toEqual(['sse+post is two-way', 'closed (1000)'])
})

describe('05-the-flag', () => {
  /** The first tick that the client hears is the one after its arrival, whichever that is; then none is missing. */
  const prices = (stdout: string) => {
    const first = Number(/tick: (\d+)/.exec(stdout)?.[1])
    return [0, 1, 2].map((later) => `the client got prices { EURUSD: 1.08, tick: ${first + later} }`)
  }

  test('--transport sse: the program only listens', async () => {
    const { code, stdout, stderr } = await run('05-the-flag', '--transport', 'sse').ended
    expect(lines(stdout)).toEqual(['sse is one-way', ...prices(stdout)])
    expect(stderr).toBe('')
    expect(code).toBe(0)
  })

  test.each(['ws', 'sse+post', 'auto'])(
    '--transport %s: the same program sends as well',
    async (transport) => {
      const { code, stdout, stderr } = await run('05-the-flag', '--transport', transport).ended
      const all = lines(stdout)
      // Two ends: what the hub got may be told before or after the first price.
      expect(all.filter((line) => line.startsWith('the hub'))).toEqual(["the hub got chat { text: 'hi' }"])
      expect(all.filter((line) => !line.startsWith('the hub'))).toEqual([
        `${transport} is two-way`,
        ...prices(stdout),
      ])
      expect(stderr).toBe('')
      expect(code).toBe(0)
    },
  )

  test.each([
    [['--transport', 'post'], 'post'],
    [[], 'none'],
  ])('%j: one line says what the flag can be', async (args, given) => {
    const { code, stdout, stderr } = await run('05-the-flag', ...args).ended
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `--transport must be sse, ws, sse+post or auto, got ${given}\n`,
    })
  })
})

describe('09-requests', () => {
  test('shows a reply, an error that crossed, and a question that is given up on both sides', async () => {
    const { code, stdout, stderr } = await run('09-requests').ended
    expect(lines(stdout)).toEqual([
      '1 + 2 + 3 is 6',
      "taken: b5 is taken { left: [ 'a7', 'c2' ] }",
      'TimeoutError: "report" was not answered within 100 ms; the server may or may not have done what was asked',
      'the hub works on the report no longer',
    ])
    expect(stderr).toBe('')
    expect(code).toBe(0)
  })
})

describe('06-metrics-prometheus', () => {
  test('has the counts of both transports at /metrics, as Prometheus reads them', async () => {
    const server = await listen('06-metrics-prometheus')
    const stream = await fetch(`${server.url}?channel=a`)
    const socket = new WebSocket(server.url.replace('http:', 'ws:'), ['eitherway.v1'])
    await once(socket, 'message')
    await fetch(server.url, { headers: { origin: 'https://evil.example' } })
    const closed = once(socket, 'close')
    socket.close(4_000)
    await closed
    const read = async () => {
      const response = await fetch(new URL('/metrics', server.url))
      expect(response.headers.get('Content-Type')).toMatch(/^text\/plain; version=/)
      return (await response.text()).split('\n')
    }
    await expect.poll(read).toContain('eitherway_closed_total{code="4000"} 1')
    const metrics = await read()
    expect(metrics).toEqual(
      expect.arrayContaining([
        '# TYPE eitherway_peers gauge',
        'eitherway_peers 1',
        'eitherway_queued_bytes 0',
        '# TYPE eitherway_opened_total counter',
        'eitherway_opened_total{direction="one-way"} 1',
        'eitherway_opened_total{direction="two-way"} 1',
        'eitherway_refused_total{status="403"} 1',
        'eitherway_gaps_total{reason="evicted"} 0',
        'eitherway_errors_total 0',
      ]),
    )
    // To read them changes none.
    expect(await read()).toEqual(metrics)
    await stream.body?.cancel()
    expect((await fetch(new URL('/', server.url))).status).toBe(404)
  })
})

describe('07-metrics-opentelemetry', () => {
  test('exports the counts, and a span for each connection', async () => {
    const server = await listen('07-metrics-opentelemetry', '--export-ms', '3600000')
    const socket = new WebSocket(`${server.url.replace('http:', 'ws:')}?channel=a`, ['eitherway.v1'])
    await once(socket, 'message')
    await fetch(server.url, { headers: { origin: 'https://evil.example' } })
    socket.close(4_000)
    await server.prints(/name: 'eitherway\.connection'[\s\S]*code: 4000/)
    expect(server.stdout).toMatch(/direction: 'two-way', channels: 1|direction: 'two-way',\s+channels: 1/)
    server.child.kill('SIGINT')
    const { code, stdout, stderr } = await server.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/name: 'eitherway\.peers'[\s\S]*?value: 0/)
    expect(stdout).toMatch(/name: 'eitherway\.closed'[\s\S]*?code: '4000'[\s\S]*?value: 1/)
    expect(stdout).toMatch(/name: 'eitherway\.refused'[\s\S]*?status: '403'[\s\S]*?value: 1/)
  })
})

const servers = ['01-sse-server', '03-ws-server', '06-metrics-prometheus', '07-metrics-opentelemetry']
describe.each(servers)('%s', (example) => {
  test('says in one line that its port is taken', async () => {
    const server = await listen(example)
    const { host, port } = new URL(server.url)
    const { code, stdout, stderr } = await run(example, '--port', port).ended
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `listen EADDRINUSE: address already in use ${host}; name another with --port or --host\n`,
    })
  })

  test('ends cleanly on Ctrl-C, with clients of both kinds connected', async () => {
    const server = await listen(example)
    const stream = await fetch(server.url.replace('ws:', 'http:'))
    const socket = new WebSocket(server.url.replace('http:', 'ws:'))
    await once(socket, 'open')
    server.child.kill('SIGINT')
    expect(await stream.text()).toContain(
      'event: ~close\ndata: {"code":1001,"reason":"the server goes away"}\n\n',
    )
    expect((await once(socket, 'close'))[0]).toBe(1001)
    const { code, stderr } = await server.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })
})

describe.each([
  ['01-sse-server', ['--port', '--host', '--interval-ms']],
  ['02-sse-client', ['--url']],
  ['03-ws-server', ['--port', '--host']],
  ['04-ws-client', ['--url']],
  ['05-the-flag', ['--transport']],
  ['06-metrics-prometheus', ['--port', '--host']],
  ['07-metrics-opentelemetry', ['--port', '--host', '--export-ms']],
])('%s', (example, options) => {
  test('--help says its options in at most two lines', async () => {
    const { code, stdout, stderr } = await run(example, '--help').ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const option of options) expect(stdout).toContain(option)
    expect(lines(stdout).length).toBeLessThanOrEqual(2)
  })
})

test.each([
  ['01-sse-server', '--port', 'abc', 'a number from 0 to 65535'],
  ['01-sse-server', '--interval-ms', 'soon', 'a whole number of milliseconds'],
  ['03-ws-server', '--port', '65536', 'a number from 0 to 65535'],
  ['06-metrics-prometheus', '--port', 'x', 'a number from 0 to 65535'],
  ['07-metrics-opentelemetry', '--port', 'x', 'a number from 0 to 65535'],
  ['07-metrics-opentelemetry', '--export-ms', '0', 'a whole number of milliseconds'],
  ['02-sse-client', '--url', 'nonsense', 'an http:// or https:// URL'],
  ['02-sse-client', '--url', 'http://', 'an http:// or https:// URL'],
  ['04-ws-client', '--url', 'localhost:8080', 'a ws:// or wss:// URL'],
])('%s %s %s: one line says what it can be', async (example, option, value, what) => {
  expect(await run(example, option, value).ended).toEqual({
    code: 1,
    stdout: '',
    stderr: `${option} must be ${what}, got ${value}\n`,
  })
})

test('02-sse-client ends without a word when nobody reads what it prints any more', async () => {
  const server = await listen('01-sse-server', '--interval-ms', '20')
  const client = run('02-sse-client', '--url', server.url)
  await client.prints(/^data: Message 1$/m)
  client.child.stdout.destroy()
  const [code] = await once(client.child, 'exit')
  expect({ code, stderr: client.stderr }).toEqual({ code: 0, stderr: '' })
})

describe('npm run example', () => {
  const npm = (...args: string[]) => start('npm', ['run', '--silent', 'example', ...args])

  test('runs an example, with its arguments', async () => {
    const { code, stdout } = await npm('05-the-flag', '--', '--transport', 'sse').ended
    expect(stdout).toMatch(/^sse is one-way$/m)
    expect(code).toBe(0)
  })

  test.each([[[]], [['08-none']]])('%j: lists the examples', async (args) => {
    const { code, stderr } = await npm(...args).ended
    expect(stderr).toContain(
      '01-sse-server, 02-sse-client, 03-ws-server, 04-ws-client, 05-the-flag, 06-metrics-prometheus, 07-metrics-opentelemetry, 08-both-ways-over-http, 09-requests, 10-react, 11-two-nodes; or the path of',
    )
    expect(code).toBe(1)
  })

  test.each([
    ['ts', 'const flag: string = process.argv[2] ?? ""'],
    ['js', 'const flag = process.argv[2]'],
  ])(
    'runs a .%s file of the user, wherever it lies, and shows the stack of its error',
    async (type, first) => {
      const folder = await mkdtemp(join(tmpdir(), 'eitherway-'))
      onTestFinished(() => rm(folder, { recursive: true }))
      const path = join(folder, `mine.${type}`)
      const program = [
        "import { connect } from '@eitherway/client'",
        first,
        'console.log(typeof connect, flag)',
      ]
      await writeFile(path, [...program, "throw new Error('my own')"].join('\n'))
      const { code, stdout, stderr } = await npm(path, '--', 'one').ended
      expect(stdout).toBe('function one\n')
      expect(stderr).toMatch(/^Error: my own\n {4}at .*/m)
      expect(stderr).toContain(`mine.${type}:4:7`)
      expect(code).toBe(1)
    },
  )

  test('says in one line that a file is not there', async () => {
    const { code, stdout, stderr } = await npm('examples/scratch/none.ts').ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^there is no examples\/scratch\/none\.ts to run$/m)
  })

  test('a server does not outlive npm', async () => {
    const server = npm('03-ws-server', '--', '--port', '0')
    await server.prints(/^listening on (\S+)$/m)
    server.child.kill('SIGTERM')
    await server.ended // its output is closed, which the server held as well
  })
})

/** A server that gives every request the same answer. */
async function answering(answer: (response: ServerResponse) => unknown): Promise<string> {
  const server = createServer((_, response) => void answer(response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

function page(): Promise<string> {
  return answering((response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>'))
}

/** A URL where nobody listens: the port was free a moment ago. */
async function nobody(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}/live`
}

async function* texts(response: Response): AsyncGenerator<string> {
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) yield chunk
}

/** The texts that a socket hears from now on. */
function messages(socket: WebSocket): AsyncGenerator<string> {
  const events = on(socket, 'message')
  return (async function* () {
    for await (const [data] of events) yield String(data)
  })()
}

const lines = (stdout: string) => stdout.trimEnd().split('\n')
