import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Counts packets in the kernel, by a socket that sees them all: needs Linux, Python and the right to open one. */
export interface Capture extends AsyncDisposable {
  /** Bytes of payload that left the port until now. */
  count(): Promise<number>
}

const probe = 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)'

/** Whether this place has what it takes, so that a capture that cannot be opened is a failure, and not left out. */
const mustCapture = process.env['CI'] === 'true' && process.platform === 'linux' && process.getuid?.() === 0

export const canCapture: boolean = mustCapture || spawnSync('/usr/bin/python3', ['-c', probe]).status === 0

/** Begin before the first link to that port. */
export async function capture(port: number): Promise<Capture> {
  const program = fileURLToPath(new URL('./capture.py', import.meta.url))
  const child = spawn('/usr/bin/python3', [program, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)
  const exited = once(child, 'exit')
  const failed = exited.then(([code]) => {
    throw new Error(`packets cannot be captured here: ${program} ended with ${code}`)
  })
  failed.catch(() => undefined) // for whoever waits for a line
  const nextLine = async () => (await Promise.race([once(lines, 'line'), failed]))[0]
  await nextLine()
  return {
    async count() {
      const line = nextLine()
      child.stdin.write('\n')
      return Number(await line)
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await exited
    },
  }
}
