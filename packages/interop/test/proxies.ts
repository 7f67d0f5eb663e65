import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, run } from './harness.ts'
import { eventually } from './heard.ts'

/** A proxy that others wrote, in front of one of our servers. */
export interface Proxy extends AsyncDisposable {
  /** The server's origin as it is seen through the proxy. */
  readonly origin: string
  /** Kills it, and starts it again once this is done. */
  restart(meanwhile: () => Promise<unknown>): Promise<void>
}

/**
 * nginx as it comes, with one `proxy_pass`.
 *
 * @param lines - further lines of its `location`.
 */
export async function startNginx(origin: string, lines: readonly string[] = []): Promise<Proxy> {
  return startNginxWith(
    (listen) => `server {
          ${listen}
          location / {
            proxy_pass ${origin};
            ${lines.join('\n')}
          }
        }`,
  )
}

/** nginx as a page of ours sets it up. @param configuration - what stands in `http`, of an application on port 8080. */
export async function startNginxBy(origin: string, configuration: string): Promise<Proxy> {
  return startNginxWith((listen) =>
    configuration.replace('server {', `server {\n${listen}`).replace('http://127.0.0.1:8080', origin),
  )
}

/** @param http - what stands in `http`; it is told the directive by which it hears. */
async function startNginxWith(http: (listen: string) => string): Promise<Proxy> {
  return start(async (folder, port) => {
    const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    // On purpose one process, unlike its default: it ends with the one that is killed. What it does with bytes is the same.
    await writeFile(
      join(folder, 'nginx.conf'),
      `daemon off;
      master_process off;
      pid nginx.pid;
      error_log stderr;
      events {}
      http {
        access_log off;
        ${scratch.map((name) => `${name}_temp_path ${name};`).join('\n')}
        ${http(`listen 127.0.0.1:${port};`)}
      }`,
    )
    return run('/usr/sbin/nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], { plain: true })
  })
}

/** HAProxy as it comes, with the timeouts that it asks everybody to set. */
export async function startHaproxy(origin: string, timeoutMs: number): Promise<Proxy> {
  return start(async (folder, port) => {
    const file = join(folder, 'haproxy.cfg')
    await writeFile(
      file,
      `defaults
  mode http
  timeout connect ${timeoutMs}ms
  timeout client ${timeoutMs}ms
  timeout server ${timeoutMs}ms
listen eitherway
  bind 127.0.0.1:${port}
  server hub ${new URL(origin).host}
`,
    )
    return run('/usr/sbin/haproxy', ['-db', '-f', file], { plain: true })
  })
}

async function start(open: (folder: string, port: number) => Promise<Child>): Promise<Proxy> {
  const folder = await mkdtemp(join(tmpdir(), 'eitherway-proxy-'))
  const port = await freePort()
  let child: Child | undefined
  const kill = async () => child?.[Symbol.asyncDispose]()
  const begin = async () => {
    const begun = await open(folder, port)
    child = begun
    // Ends with all that the program wrote, when that is the end of it.
    const failed = begun.errors.take(Number.POSITIVE_INFINITY)
    await Promise.race([listening(port), failed])
    failed.catch(() => {
      // Later it ends because it is killed.
    })
  }
  const proxy: Proxy = {
    origin: `http://127.0.0.1:${port}`,
    async restart(meanwhile) {
      await kill()
      await meanwhile()
      await begin()
    },
    async [Symbol.asyncDispose]() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
  try {
    await begin()
  } catch (error) {
    await proxy[Symbol.asyncDispose]()
    throw error
  }
  return proxy
}

/** One that nobody has now. Neither proxy tells which it got when asked for any. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

async function listening(port: number): Promise<void> {
  let answers = false
  let asking = false
  await eventually(() => {
    if (asking || answers) return answers
    asking = true
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('connect', () => {
      answers = true
      socket.destroy()
    })
    socket.on('error', () => {
      // It does not listen yet.
    })
    socket.on('close', () => {
      asking = false
    })
    return false
  }, 'a proxy that listens')
}
