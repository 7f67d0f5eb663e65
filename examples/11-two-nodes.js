// Two nodes behind a balancer: the one that the client is on is killed, and the client goes on with nothing lost.
//
//   npm run example 11-two-nodes
//   npm run example 11-two-nodes -- --transport ws
//
// and likewise with sse+post and auto. It starts, and ends, a redis-server, two nodes, and nginx or HAProxy.
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect as reach } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect } from '@eitherway/client'
import { createPublisher, redisBroker } from '@eitherway/redis'
import { createHub, serve } from '@eitherway/server'
import { Redis } from 'ioredis'

const { values } = parseArgs({
  options: {
    transport: { type: 'string', default: 'sse' },
    balancer: { type: 'string' },
    node: { type: 'string' }, // this very file, started as a node, with the port of Redis
    help: { type: 'boolean', short: 'h' },
  },
})
const { transport, balancer } = values
if (values.help) {
  console.log('Options: --transport <sse, ws, sse+post or auto> (sse)')
  console.log('         --balancer <nginx or haproxy> (nginx, or HAProxy where that is what there is)')
  process.exit()
}
if (transport !== 'sse' && transport !== 'ws' && transport !== 'sse+post' && transport !== 'auto') {
  console.error(`--transport must be sse, ws, sse+post or auto, got ${transport}`)
  process.exit(1)
}
if (balancer !== undefined && balancer !== 'nginx' && balancer !== 'haproxy') {
  console.error(`--balancer must be nginx or haproxy, got ${balancer}`)
  process.exit(1)
}
if (values.node !== undefined) await runNode(Number(values.node))
else await main(transport)

/**
 * A node: what an application has as its server, with a broker that it shares with the others.
 * @param {number} redisPort
 */
async function runNode(redisPort) {
  const broker = redisBroker({ client: redisAt(redisPort) })
  const hub = createHub({ broker, retryMs: 100 })
  hub.onConnect(() => process.send?.({ connected: true }))
  const server = createServer()
  serve(hub, server, { path: '/live' })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  process.send?.({ port: portOf(server) })
  process.once('disconnect', () => process.exit())
}

/** @param {'sse' | 'ws' | 'sse+post' | 'auto'} transport */
async function main(transport) {
  const folder = await mkdtemp(join(tmpdir(), 'eitherway-two-nodes-'))
  /** @type {Set<import('node:child_process').ChildProcess>} */
  const children = new Set()
  /** @param {number} code */
  const end = async (code) => {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all([...children].map((child) => once(child, 'exit')))
    await rm(folder, { recursive: true, force: true })
    process.exit(code)
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void end(1))
  const late = setTimeout(
    () => void fail(new Error('it took more than 30 seconds, and was given up')),
    30_000,
  )
  /** @param {unknown} error */
  const fail = async (error) => {
    console.error(error instanceof Error ? error.message : error)
    await end(1)
  }
  try {
    await show(transport, folder, children)
    clearTimeout(late)
    await end(0)
  } catch (error) {
    await fail(error)
  }
}

/**
 * @param {'sse' | 'ws' | 'sse+post' | 'auto'} transport
 * @param {string} folder
 * @param {Set<import('node:child_process').ChildProcess>} children - what runs, to be ended
 */
async function show(transport, folder, children) {
  const redisPort = await startRedis(folder, children)
  let current = '' // where the client has come to last
  /** @type {Map<string, import('node:child_process').ChildProcess>} */
  const nodes = new Map()
  const ports = []
  for (const name of ['a', 'b']) {
    const node = keep(children, fork(import.meta.filename, ['--node', String(redisPort)]))
    nodes.set(name, node)
    const [{ port }] = await once(node, 'message')
    ports.push(port)
    node.on('message', () => {
      current = name
      console.log(`the client is on node ${name}`)
    })
  }
  const { origin, called } = await startBalancer(folder, children, ports)
  console.log(`nodes a and b, behind ${called}; a client over ${transport}`)

  const publisher = createPublisher({ client: redisAt(redisPort) })
  const client = connect(`${origin}/live`, { transport, channels: ['prices'] })
  client.onGap(({ reason }) => {
    console.log(`something was lost: ${reason}`)
    void client.close()
  })
  /** @type {Promise<void>} */
  const open = new Promise((resolve) => client.onState((state) => state === 'open' && resolve()))
  const comes = () => Promise.race([...nodes.values()].map((node) => once(node, 'message')))
  await Promise.all([open, comes()])
  client.onState((state) => state === 'waiting' && console.log('the client has lost its link'))

  const last = 20
  let published = 0
  const ticks = setInterval(() => {
    // It fails when Redis does, and nothing else here would say so.
    publisher
      .publish('prices', { tick: ++published, EURUSD: 1.08 })
      .catch((error) => console.error(error.message))
    if (published === last) clearInterval(ticks)
  }, 50)
  let heard = 0
  for await (const { data } of client) {
    console.log('the client got', data)
    const { tick } = /** @type {{ tick: number }} */ (data)
    if (tick !== ++heard) throw new Error(`price ${heard} is missing, ${tick} came in its place`)
    if (heard === 8) {
      nodes.get(current)?.kill('SIGKILL')
      console.log(`node ${current} is killed`)
      await comes() // what it hears meanwhile waits for the loop to go on
    }
    if (heard === last) break
  }
  if (heard < last) throw new Error(`only ${heard} of ${last} prices have come`)
  console.log(`${last} prices, each once and in order`)
  await client.close()
  publisher.close()
}

/**
 * @param {string} folder
 * @param {Set<import('node:child_process').ChildProcess>} children
 * @returns {Promise<number>} its port
 */
async function startRedis(folder, children) {
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
  const redis = await start('redis-server', args, children)
  if (redis === undefined) {
    throw new Error('there is no redis-server; install it with: sudo apt-get install redis-server')
  }
  for await (const line of createInterface({ input: redis.stdout })) {
    if (line.includes('Ready to accept connections')) {
      redis.stdout.resume()
      return port
    }
  }
  throw new Error(`redis-server has ended before it listened on port ${port}`)
}

/**
 * The one that is asked for, else nginx, else HAProxy.
 * @param {string} folder
 * @param {Set<import('node:child_process').ChildProcess>} children
 * @param {number[]} ports
 */
async function startBalancer(folder, children, ports) {
  const port = await freePort()
  const nginx = join(folder, 'nginx.conf')
  const haproxy = join(folder, 'haproxy.cfg')
  await writeFile(nginx, nginxConfiguration(port, ports))
  await writeFile(haproxy, haproxyConfiguration(port, ports))
  const ways = [
    { called: 'nginx', args: ['-p', folder, '-c', nginx, '-e', 'stderr'] },
    { called: 'haproxy', args: ['-db', '-f', haproxy] },
  ].filter(({ called }) => balancer === undefined || called === balancer)
  for (const { called, args } of ways) {
    const child = await start(called, args, children)
    if (child === undefined) continue
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text
    })
    child.stdout.resume()
    while (!(await listens(port))) {
      if (!children.has(child)) throw new Error(`${called} has ended: ${said.trim()}`)
      await wait(20)
    }
    return { origin: `http://127.0.0.1:${port}`, called }
  }
  throw new Error(
    `there is no ${balancer ?? 'nginx and no haproxy'}; install it with: sudo apt-get install ${balancer ?? 'nginx'}`,
  )
}

/**
 * A node that does not answer is passed over for the other. Nothing here holds a client to the node where it was.
 * @param {number} port
 * @param {number[]} ports
 */
function nginxConfiguration(port, ports) {
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events {}
http {
  access_log off;
  ${scratch.map((name) => `${name}_temp_path ${name};`).join('\n  ')}
  map $http_upgrade $connection_upgrade {
    default upgrade;
    ''      '';
  }
  upstream nodes {
    ${ports.map((node) => `server 127.0.0.1:${node};`).join('\n    ')}
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://nodes;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }
  }
}
`
}

/**
 * @param {number} port
 * @param {number[]} ports
 */
function haproxyConfiguration(port, ports) {
  return `defaults
  mode http
  option redispatch 1
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
listen nodes
  bind 127.0.0.1:${port}
  ${ports.map((node, index) => `server node${index} 127.0.0.1:${node}`).join('\n  ')}
`
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {Set<import('node:child_process').ChildProcess>} children
 * @returns nothing where there is no such program
 */
async function start(command, args, children) {
  // Servers live in `sbin`, which is not in everybody's PATH.
  const PATH = `${process.env['PATH'] ?? ''}${delimiter}/usr/sbin`
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH } })
  try {
    await once(child, 'spawn')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  return keep(children, child)
}

/**
 * @template {import('node:child_process').ChildProcess} Child
 * @param {Set<import('node:child_process').ChildProcess>} children - has it as long as it runs
 * @param {Child} child
 */
function keep(children, child) {
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** @param {number} port */
function redisAt(port) {
  return new Redis({ host: '127.0.0.1', port, lazyConnect: true })
}

/** One that nobody has now: neither Redis nor a balancer tells which it got when asked for any. */
async function freePort() {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const port = portOf(server)
  server.close()
  await once(server, 'close')
  return port
}

/** @param {import('node:http').Server} server */
function portOf(server) {
  return /** @type {import('node:net').AddressInfo} */ (server.address()).port
}

/** @param {number} port */
async function listens(port) {
  const socket = reach({ host: '127.0.0.1', port })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false // not yet
  } finally {
    socket.destroy()
  }
}
