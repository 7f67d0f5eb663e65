import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** A proxy that others wrote, in front of a server of ours. */
export interface Nginx extends AsyncDisposable {
  /** The server's origin as it is seen through the proxy. */
  readonly origin: string
}

/** Where nginx is installed. Servers live in `sbin`, which is not in everybody's PATH. */
export function findNginx(): string | undefined {
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
    .map((folder) => join(folder, 'nginx'))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false // not in this folder
      }
    })
}

/** How long it may take to listen. */
const startMs = 10_000

/** Another program may take the port between the moment when it was free and the start. */
const attempts = 3

/**
 * Starts nginx as it comes, with one `proxy_pass`, in a folder of its own and without privileges.
 *
 * @param lines - further lines of its `location`.
 * @throws Error (by rejection) with what it complained of.
 */
export async function startNginx(program: string, origin: string, lines: readonly string[]): Promise<Nginx> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startAt(await freePort(), program, origin, lines)
    } catch (error) {
      if (attempt === attempts) throw error
    }
  }
}

async function startAt(
  port: number,
  program: string,
  origin: string,
  lines: readonly string[],
): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'eitherway-nginx-'))
  await writeFile(join(folder, 'nginx.conf'), configuration(port, origin, lines))
  // On purpose one process, unlike its default: it ends with the one that is killed. What it does with bytes is the same.
  const child = spawn(program, ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = `${complaints}${chunk}`.slice(-1000)
  })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', (error) => {
      complaints += error.message
      resolve()
    })
  })
  // Whatever ends this process must not leave it behind.
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  async function stop(): Promise<void> {
    process.off('exit', kill)
    kill()
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await listening(port, child)
  } catch {
    await stop()
    throw new Error(`nginx did not start: ${complaints.trim() || `nothing listened within ${startMs} ms`}`)
  }
  return { origin: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: stop }
}

function configuration(port: number, origin: string, lines: readonly string[]): string {
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events {}
http {
  access_log off;
  ${scratch.map((name) => `${name}_temp_path ${name};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${origin};
      ${lines.join('\n      ')}
    }
  }
}
`
}

/** One that nobody has now: nginx does not tell which it got when asked for any. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  const lateAt = performance.now() + startMs
  while (!(await answers(port))) {
    if (child.exitCode !== null || child.pid === undefined) throw new Error('it ended')
    if (performance.now() > lateAt) throw new Error('it is late')
    await delay(20)
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
