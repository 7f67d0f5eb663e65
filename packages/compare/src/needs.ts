/** What an application needs of its transport. */
export interface Needs {
  /** Messages that each client sends to the server, in a second. 0: it only listens. */
  readonly upPerSecond: number
  /** Whether the data is binary: audio, images, a packed format. */
  readonly binary: boolean
  /** How many peers hear each message. */
  readonly fanOut: number
  /** What stands between the users and the server: nothing, what you set up yourself, or who knows what. */
  readonly proxies: Proxies
  /** Whether clients are pages. */
  readonly browsers: boolean
  /** How many tabs of the application one user has open at once, each with a stream. Of browsers only. */
  readonly tabs: number
  /** Whether browsers reach it over HTTP/2, by a proxy in front for instance. Of browsers only. */
  readonly http2: boolean
}

export type Proxies = 'none' | 'own' | 'unknown'

/** A feed of some hundred listeners, in the tab or two that people have open. Nothing is said of pages. */
export const defaultNeeds: Needs = {
  upPerSecond: 0,
  binary: false,
  fanOut: 100,
  proxies: 'own',
  browsers: false,
  tabs: 1,
  http2: false,
}

/** What a number may be, and why not more. */
export interface Bounds {
  readonly least: number
  readonly most: number
  /** Whether it counts things. */
  readonly whole: boolean
  readonly why: string
}

export const bounds: Readonly<Record<'upPerSecond' | 'fanOut' | 'tabs', Bounds>> = {
  upPerSecond: {
    least: 0,
    most: 1000,
    whole: false,
    why: 'beyond one message a millisecond an application bundles them',
  },
  fanOut: {
    least: 1,
    most: 1_000_000,
    whole: true,
    why: 'a million peers are many servers, and it is what one of them serves that matters',
  },
  tabs: {
    least: 1,
    most: 100,
    whole: true,
    why: 'nobody keeps more tabs of one application open',
  },
}

/** Each need as it is spelled in flags and forms. */
export const spellings: readonly {
  readonly name: string
  readonly need: keyof Needs
}[] = [
  { name: 'up', need: 'upPerSecond' },
  { name: 'binary', need: 'binary' },
  { name: 'fan-out', need: 'fanOut' },
  { name: 'proxies', need: 'proxies' },
  { name: 'browsers', need: 'browsers' },
  { name: 'tabs', need: 'tabs' },
  { name: 'http2', need: 'http2' },
]

export const proxies: readonly Proxies[] = ['none', 'own', 'unknown']

/**
 * Reads needs from strings: `{ up: '10', binary: '', 'fan-out': '1000', proxies: 'unknown' }`. What is left out is as in
 * {@link defaultNeeds}; a yes-or-no is yes where it is there, unless it says `false`, `no` or `off`.
 *
 * @param dash What a user writes before a name, so that a complaint names it as it was written: `--`.
 * @throws TypeError with one line for the first that makes no sense.
 */
export function parseNeeds(values: Readonly<Record<string, string | undefined>>, dash = ''): Needs {
  const known = spellings.map(({ name }) => `${dash}${name}`)
  const stranger = Object.keys(values).find((key) => !spellings.some(({ name }) => name === key))
  if (stranger !== undefined) {
    throw new TypeError(`there is no need ${dash}${stranger}; there are ${known.join(', ')}`)
  }
  const needs: Needs = {
    upPerSecond: numberOf('up', 'upPerSecond'),
    binary: flagOf('binary'),
    fanOut: numberOf('fan-out', 'fanOut'),
    proxies: proxiesOf('proxies'),
    browsers: flagOf('browsers'),
    tabs: numberOf('tabs', 'tabs'),
    http2: flagOf('http2'),
  }
  const ofPages = needs.tabs > 1 ? 'tabs' : needs.http2 ? 'http2' : undefined
  if (!needs.browsers && ofPages !== undefined) {
    throw new TypeError(
      `${dash}${ofPages} speaks of pages: say ${dash}browsers too, or leave ${dash}${ofPages} out`,
    )
  }
  return needs

  function numberOf(name: string, need: keyof typeof bounds): number {
    const text = values[name]
    if (text === undefined) return defaultNeeds[need]
    const { least, most, whole, why } = bounds[need]
    const value = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN
    if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value
    const kind = whole ? 'a whole number' : 'a number'
    const range = `${kind} from ${least} to ${most.toLocaleString('en')}`
    const reason = value > most ? ` (${why})` : ''
    throw new TypeError(`${dash}${name} must be ${range}${reason}, got ${JSON.stringify(text)}`)
  }

  function flagOf(name: string): boolean {
    const text = values[name]
    if (text === undefined || /^(false|no|off)$/.test(text)) return false
    if (/^(|true|yes|on)$/.test(text)) return true
    throw new TypeError(`${dash}${name} is yes or no, got ${JSON.stringify(text)}`)
  }

  function proxiesOf(name: string): Proxies {
    const text = values[name]
    if (text === undefined) return defaultNeeds.proxies
    const found = proxies.find((one) => one === text)
    if (found !== undefined) return found
    throw new TypeError(`${dash}${name} must be one of ${proxies.join(', ')}, got ${JSON.stringify(text)}`)
  }
}
