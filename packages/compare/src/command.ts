import { parseArgs } from 'node:util'
import type { BrowserName } from './browsers.ts'
import { defaultNeeds, proxies } from './needs.ts'
import type { Target } from './target/rows.ts'
import { loadRounds, targetLimits } from './target.ts'

/** What the command line asks for. */
export type Command =
  | { readonly do: 'help' | 'list' | 'lab' }
  | { readonly do: 'run'; readonly run: RunCommand }
  /** Its own words are read by `recommendFromArgs`. */
  | { readonly do: 'recommend'; readonly args: readonly string[] }
  | { readonly do: 'refuse'; readonly complaint: string }

export interface RunCommand {
  /** Names; none for all. */
  readonly scenarios: readonly string[]
  readonly quick: boolean
  readonly rounds: number | undefined
  readonly browsers: readonly BrowserName[]
  readonly outputs: readonly Output[]
  /** `undefined` for the embedded server. */
  readonly target: Target | undefined
  readonly load: number | undefined
  readonly seconds: number | undefined
}

/** One form of the report. */
export interface Output {
  readonly form: Form
  /** `undefined` for standard output. */
  readonly file: string | undefined
}

export const forms = ['json', 'markdown', 'html'] as const
export type Form = (typeof forms)[number]

const browserNames: readonly BrowserName[] = ['chromium', 'firefox']

export const loadLimits = { connections: 1000, seconds: 300 } as const
const mostRounds = 100

const options = {
  list: { type: 'boolean' },
  quick: { type: 'boolean' },
  rounds: { type: 'string' },
  browser: { type: 'string', multiple: true },
  json: { type: 'string', multiple: true },
  markdown: { type: 'string', multiple: true },
  html: { type: 'string', multiple: true },
  sse: { type: 'string' },
  ws: { type: 'string' },
  load: { type: 'string' },
  seconds: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Names of all options, for what must be told of them all. */
export const optionNames: readonly string[] = Object.keys(options)

/** A mistake of the user's, in one line. */
class Complaint extends Error {}

/** Reads the command line. @param names - of all scenarios, to tell them from files and from mistakes. */
export function readCommand(args: readonly string[], names: readonly string[]): Command {
  if (args[0] === 'lab') return { do: 'lab' }
  if (args[0] === 'recommend' && !args.some((arg) => arg === '--help' || arg === '-h'))
    return { do: 'recommend', args: args.slice(1) }
  try {
    return read(args, names)
  } catch (error) {
    if (error instanceof Complaint) return { do: 'refuse', complaint: error.message }
    if (!String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')) throw error
    // Its later sentences are about options that start with a dash.
    const [first = ''] = (error as Error).message.split(/\. |\n/)
    return { do: 'refuse', complaint: first.replace(/\.$/, '') }
  }
}

function read(args: readonly string[], names: readonly string[]): Command {
  const { values, positionals } = parseArgs({ args: withFiles(args), options, allowPositionals: true })
  if (values.help) return { do: 'help' }
  if (values.list) return { do: 'list' }
  for (const name of positionals) if (!names.includes(name)) throw new Complaint(unknown(name, names))
  const target = targetOf(values.sse, values.ws)
  const load = numberOf('load', values.load, loadLimits.connections)
  const seconds = numberOf(
    'seconds',
    values.seconds,
    load === undefined ? targetLimits.listenSeconds : loadLimits.seconds,
    load === undefined ? `; with --load up to ${loadLimits.seconds}` : '',
  )
  const browsers = [...new Set((values.browser ?? []).map(browserOf))]
  if (target === undefined) {
    for (const [name, value] of [
      ['load', load],
      ['seconds', seconds],
    ] as const) {
      if (value !== undefined)
        throw new Complaint(`--${name} is for a server of yours: name it with --sse or --ws`)
    }
  } else {
    const url = values.sse === undefined ? '--ws' : '--sse'
    if (positionals[0] !== undefined) {
      throw new Complaint(`${positionals[0]} runs on a server of its own: leave it or ${url} out`)
    }
    if (browsers.length > 0)
      throw new Complaint(`--browser and ${url} do not go together: your server is measured from Node`)
  }
  return {
    do: 'run',
    run: {
      scenarios: [...new Set(positionals)],
      quick: values.quick ?? false,
      rounds: numberOf('rounds', values.rounds, mostRounds),
      browsers,
      outputs: outputsOf(values),
      target,
      load,
      seconds,
    },
  }
}

/** A file belongs to its option where it looks like one; `-` stands for none, as the parser knows no option with or without. */
function withFiles(args: readonly string[]): string[] {
  const read: string[] = []
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] as string
    const next = args[index + 1]
    const isForm = forms.some((form) => arg === `--${form}`)
    if (isForm && next !== undefined && (next === '-' || (!next.startsWith('-') && /[./\\]/.test(next)))) {
      read.push(`${arg}=${next}`)
      index += 1
    } else read.push(isForm ? `${arg}=-` : arg)
  }
  return read
}

function outputsOf(values: Partial<Record<Form, readonly string[]>>): readonly Output[] {
  const outputs = forms.flatMap((form) =>
    (values[form] ?? []).map((file) => {
      if (file === '')
        throw new Complaint(`--${form}= must name a file, or stand without the = for standard output`)
      return { form, file: file === '-' ? undefined : file }
    }),
  )
  const [first, second] = outputs.filter(({ file }) => file === undefined)
  if (first !== undefined && second !== undefined) {
    throw new Complaint(
      `only one report fits into standard output: name a file for --${first.form} or --${second.form}`,
    )
  }
  const twice = outputs.find(
    ({ file }, index) => file !== undefined && outputs.findIndex((other) => other.file === file) !== index,
  )
  if (twice !== undefined)
    throw new Complaint(`two reports cannot be one file: ${JSON.stringify(twice.file)}`)
  return outputs
}

function targetOf(sse: string | undefined, ws: string | undefined): Target | undefined {
  if (sse === undefined && ws === undefined) return undefined
  return {
    ...(sse === undefined ? {} : { sse: urlOf('sse', sse, ['http:', 'https:']) }),
    ...(ws === undefined ? {} : { ws: urlOf('ws', ws, ['ws:', 'wss:']) }),
  }
}

function urlOf(option: string, given: string, schemes: readonly string[]): URL {
  const wanted = schemes.map((scheme) => `${scheme}//`).join(' or ')
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url === undefined || !schemes.includes(url.protocol)) {
    throw new Complaint(`--${option} must be a URL that starts with ${wanted}, got ${JSON.stringify(given)}`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new Complaint(`--${option} must not hold a user name or password: URLs end up in logs`)
  }
  return url
}

function numberOf(option: string, given: string | undefined, most: number, more = ''): number | undefined {
  if (given === undefined) return undefined
  if (/^\d{1,6}$/.test(given) && Number(given) >= 1 && Number(given) <= most) return Number(given)
  const limit = most.toLocaleString('en')
  throw new Complaint(
    `--${option} must be a whole number from 1 to ${limit}, got ${JSON.stringify(given)}${more}`,
  )
}

function browserOf(given: string): BrowserName {
  const name = browserNames.find((one) => one === given)
  if (name !== undefined) return name
  throw new Complaint(`--browser must be ${browserNames.join(' or ')}, got ${JSON.stringify(given)}`)
}

function unknown(given: string, names: readonly string[]): string {
  const [nearest] = names
    .map((name) => ({ name, distance: distanceOf(given.toLowerCase(), name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 2)))
    .sort((one, other) => one.distance - other.distance)
  const advice = nearest === undefined ? '--list shows them all' : `did you mean ${nearest.name}?`
  return `there is no scenario ${JSON.stringify(given)}; ${advice}`
}

/** How many letters have to be changed, added or left out (Levenshtein). */
function distanceOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1]
    for (const [at, against] of [...other].entries()) {
      next.push(
        Math.min((next[at] ?? 0) + 1, (row[at + 1] ?? 0) + 1, (row[at] ?? 0) + (letter === against ? 0 : 1)),
      )
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** What `--help` prints. @param call - how the program is called here. */
export function helpOf(call: string, limits: { readonly full: number; readonly quick: number }): string {
  const { atOnce, total, seconds, listenSeconds } = targetLimits
  return `Compares Server-Sent Events and WebSocket by measurement, on this machine or against a server of yours.

  ${call} [scenario …] [options]
  ${call} --sse <url> --ws <url> [options]
  ${call} recommend [needs] [--report <file.json>]
  ${call} lab [--port <number>] [--host <address>]

  Without a name, all scenarios run, one after the other, each on a server of its own.
  A scenario takes at most ${limits.full / 60_000} minutes (${limits.quick / 60_000} in a quick run), and is then ended with what it has.

  --list               the scenarios
  --quick              fewer rounds and less load: to see that it works
  --rounds <n>         how often everything is measured, 1 to ${mostRounds} (default 7, or 2 in a quick run)
  --browser <name>     clients in a page of chromium or firefox, instead of Node; may be given twice
  lab                  opens the lab's page instead

  --json [file]        the report as JSON
  --markdown [file]    the report as Markdown
  --html [file]        the report as one page with plots, which needs nothing beside itself
                       A file is what has a dot or a slash in its name, or follows a =. Without one, or with -, the report
                       goes to standard output. With none of these three it is shown as tables.

A transport for what you need, with the reasons, the figures behind them and what would change it:

  --up <n>             messages that each client sends in a second (default ${defaultNeeds.upPerSecond})
  --binary             the data is binary
  --fan-out <n>        how many peers hear each message (default ${defaultNeeds.fanOut})
  --proxies <which>    what stands in between: ${proxies.join(', ')} (default ${defaultNeeds.proxies})
  --browsers           clients are pages
  --tabs <n>           tabs that one user has open at once (default ${defaultNeeds.tabs})
  --http2              browsers reach it over HTTP/2
  --report <file>      a report of --json, whose figures then decide; without it the protocol's facts do

A server of yours, of our making or not, one URL or both:

  --sse <url>          an event stream, http:// or https://
  --ws <url>           a WebSocket, ws:// or wss://
                       One of Eitherway's has messages for those only who name a channel, quoted for the shell:
                       --sse 'http://localhost:3000/live?channel=prices'
  --seconds <n>        how long to listen for messages, 1 to ${listenSeconds} (default 10, or 2 in a quick run)
  --load <n>           opens n connections at once per transport, 1 to ${loadLimits.connections.toLocaleString('en')}, in ${loadRounds} rounds (--rounds: in as many),
                       and lets --seconds go up to ${loadLimits.seconds}

  Without --load it makes at most ${total} connections, ${atOnce} open at a time per transport (and one that is just closing), and
  is done after ${seconds} seconds. Nothing is ever sent to your server. A WebSocket is first asked for our subprotocol; where the
  server refuses it, or does not begin with a frame of it within a second, it is spoken to without. Reports name a URL
  without the values of its query, as these may be secret.

  Exit codes: 0 all was measured, 1 something failed, 2 the command was refused, 130 ended by Ctrl-C with what there was.
`
}
