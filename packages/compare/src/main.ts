import { parseArgs } from 'node:util'
import { type LabOptions, startLab } from './lab.ts'

// Started through npm, an option needs the `--` before it, or npm keeps it for itself.
const calls: Readonly<Record<string, string>> = { start: 'npm start --', compare: 'npm run compare -- lab' }
const npmCall = calls[process.env['npm_lifecycle_event'] ?? '']
const call = npmCall ?? 'eitherway-compare lab'
const prefix = npmCall === undefined ? '' : `${npmCall} `

const help = `Opens the lab: Server-Sent Events and WebSocket side by side, in your browser.

  ${call} [--port <number>] [--host <address>]

  --port   the port to listen on; 0 for any free one (default 8080)
  --host   the address to listen on (default 127.0.0.1: this machine alone)
  --help   this text
`

const signals = ['SIGINT', 'SIGTERM'] as const

const command = commandOf(process.argv.slice(2))
if ('help' in command) process.stdout.write(help)
else if ('complaint' in command) end(2, `${command.complaint}; --help says what there is`)
else await run(command)

async function run(options: Required<LabOptions>): Promise<void> {
  const lab = await startLab(options).catch((error: unknown) => end(1, reasonOf(error, options)))
  console.log(`The lab is open at ${lab.url} (Ctrl-C closes it)`)
  const onSignal = () => {
    // A second signal ends the process at once.
    for (const signal of signals) process.off(signal, onSignal)
    void lab.close().then(() => process.exit(0))
  }
  for (const signal of signals) process.on(signal, onSignal)
}

function commandOf(args: string[]): Required<LabOptions> | { help: true } | { complaint: string } {
  const kept = keptByNpm(args)
  if (kept !== undefined)
    return { complaint: `npm kept --${kept} for itself: put a -- before it, as in ${call} --${kept} …` }
  try {
    const { values } = parseArgs({
      args,
      options: { port: { type: 'string' }, host: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    })
    if (values.help) return { help: true }
    const { port = '8080', host = '127.0.0.1' } = values
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
      return { complaint: `--port must be a number from 0 to 65535, got ${JSON.stringify(port)}` }
    }
    if (host === '') return { complaint: '--host must be an address or a name, got ""' }
    return { port: Number(port), host }
  } catch (error) {
    // Its later sentences are about options that start with a dash.
    const [first = ''] = (error as Error).message.split(/\. |\n/)
    return { complaint: first.replace(/\.$/, '') }
  }
}

/** The option that stood before npm's `--`, so that npm took it, and at most its value came through. */
function keptByNpm(args: string[]): string | undefined {
  if (npmCall === undefined) return undefined
  return ['port', 'host'].find(
    (name) =>
      process.env[`npm_config_${name}`] !== undefined && !args.some((arg) => arg.startsWith(`--${name}`)),
  )
}

function reasonOf(error: unknown, { host, port }: Required<LabOptions>): string {
  const { code, message } = error as NodeJS.ErrnoException
  const advice = `choose another with ${prefix}--port <number>, or ${prefix}--port 0 for any free one`
  if (code === 'EADDRINUSE') return `port ${port} on ${host} is in use; ${advice}`
  if (code === 'EACCES') return `port ${port} on ${host} is not allowed for this user; ${advice}`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `${host} is no address of this machine; choose another with ${prefix}--host <address>`
  }
  return message
}

function end(code: number, line: string): never {
  console.error(line)
  process.exit(code)
}
