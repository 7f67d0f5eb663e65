import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { connect } from '@eitherway/client'
import { expect, onTestFinished, test } from 'vitest'

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))

function start(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream } {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, npm_lifecycle_event: undefined, ...env },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function run(
  args: string[],
  env?: NodeJS.ProcessEnv,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = start(args, env)
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'exit') as Promise<[number]>,
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, stdout, stderr }
}

test('--help says what there is', async () => {
  const { code, stdout, stderr } = await run(['--help'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  for (const option of ['--port', '--host', '--help']) expect(stdout).toContain(option)
})

test.each([
  [['--port', 'eighty'], '--port must be a number from 0 to 65535, got "eighty"'],
  [['--port', '65536'], '--port must be a number from 0 to 65535, got "65536"'],
  [['--port'], "'--port <value>' argument missing"],
  [['--host='], '--host must be an address or a name, got ""'],
  [['--prot', '1'], "Unknown option '--prot'"],
  [['serve'], "Unexpected argument 'serve'"],
])('%j is refused in one line', async (args, complaint) => {
  const { code, stdout, stderr } = await run(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(complaint)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
})

test('a port in use is one line that says what to do', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  onTestFinished(() => void other.close())
  const { port } = other.address() as AddressInfo
  for (const [env, command] of [
    [{}, ''],
    [{ npm_lifecycle_event: 'start' }, 'npm start -- '],
  ] as const) {
    expect(await run(['--port', String(port)], env)).toEqual({
      code: 1,
      stdout: '',
      stderr: `port ${port} on 127.0.0.1 is in use; choose another with ${command}--port <number>, or ${command}--port 0 for any free one\n`,
    })
  }
})

test.each([
  ['npm start --port 18123', ['18123'], { npm_config_port: 'true' }, 'port'],
  ['npm start --port=18123', [], { npm_config_port: '18123' }, 'port'],
  ['npm start --host ::1 -- --port 1', ['::1', '--port', '1'], { npm_config_host: 'true' }, 'host'],
])('%s: one line says where the -- belongs', async (_, args, env, option) => {
  expect(await run(args, { npm_lifecycle_event: 'start', ...env })).toEqual({
    code: 2,
    stdout: '',
    stderr: `npm kept --${option} for itself: put a -- before it, as in npm start -- --${option} …; --help says what there is\n`,
  })
})

test('a host that is not of this machine is one line', async () => {
  const { code, stderr } = await run(['--port', '0', '--host', '192.0.2.1'])
  expect(code).toBe(1)
  expect(stderr).toBe('192.0.2.1 is no address of this machine; choose another with --host <address>\n')
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s closes it cleanly, clients and all', async (signal) => {
  const child = start(['--port', '0'])
  const errors = text(child.stderr)
  const lines = createInterface(child.stdout)
  const [line] = (await once(lines, 'line')) as [string]
  const url = /http:\S+/.exec(line)?.[0] ?? ''
  const codes = []
  for (const transport of ['sse', 'ws'] as const) {
    const client = connect(new URL('/live', url), { transport, channels: ['vitals'] })
    onTestFinished(() => void client.close())
    await client[Symbol.asyncIterator]().next()
    codes.push(
      new Promise((resolve) =>
        client.onState((state, reason) => state === 'waiting' && resolve(reason?.code)),
      ),
    )
  }
  child.kill(signal)
  const [exit] = (await once(child, 'exit')) as [number]
  expect(exit).toBe(0)
  expect(await errors).toBe('')
  expect(await Promise.all(codes)).toEqual([1001, 1001])
})
