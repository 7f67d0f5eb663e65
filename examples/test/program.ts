import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** A program as its user meets it: what it printed so far, and how it ended. */
export interface Program {
  readonly child: ChildProcessWithoutNullStreams
  readonly stdout: string
  readonly stderr: string
  /** Fulfils with the first match in what it prints on stdout, now or later. */
  prints(pattern: RegExp): Promise<RegExpExecArray>
  /** Fulfils when it has ended and nothing holds its output any more. */
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>
}

/** Runs an example with node, from the root of the repository. It does not outlive the test. */
export function run(example: string, ...args: string[]): Program {
  return start(process.execPath, [`examples/${example}.js`, ...args])
}

/** Runs any command from the root of the repository. */
export function start(command: string, args: readonly string[]): Program {
  const child = spawn(command, args, { cwd: root })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let stdout = ''
  let stderr = ''
  let isOver = false
  const checks = new Set<() => void>()
  const check = () => {
    for (const look of checks) look()
  }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
    check()
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      isOver = true
      check()
      resolve({ code, stdout, stderr })
    })
  })

  return {
    child,
    get stdout() {
      return stdout
    },
    get stderr() {
      return stderr
    },
    prints: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(stdout)
          if (match === null && !isOver) return
          checks.delete(look)
          if (match !== null) resolve(match)
          else reject(new Error(`ended without ${pattern}; it printed ${stdout}${stderr}`))
        }
        checks.add(look)
        look()
      }),
    ended,
  }
}

/** Runs a server on a port of the system's choice and waits until it listens. */
export async function listen(example: string, ...args: string[]): Promise<Program & { url: string }> {
  const server = run(example, '--port', '0', ...args)
  const [, url = ''] = await server.prints(/^listening on (\S+)$/m)
  return Object.assign(Object.create(server), { url })
}
