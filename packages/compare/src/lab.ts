import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Broker, type Close, requestUrl } from '@eitherway/core'
import { createHub, type Hub, memoryBroker, type Peer, serve } from '@eitherway/server'
import { loadAssets } from './assets.ts'
import { textOf } from './body.ts'
import { refusalOf, standBefore } from './guard.ts'
import { createLinks } from './links.ts'
import { readMachine } from './machine.ts'
import { originsOf, reachableHost, urlOf } from './origins.ts'
import { clockMs, startPublishing } from './publishing.ts'
import type { Machine } from './report.ts'
import { createRuns, everyScenario, type RunRequest } from './runs.ts'
import type { Scenario } from './scenario.ts'
import type { Access } from './stage/ask.ts'
import { createRelay } from './stage/relay.ts'

/** Settings of {@link startLab}. */
export interface LabOptions {
  /** The address or name to listen on. @defaultValue `127.0.0.1`: this machine alone */
  readonly host?: string
  /** 0 for any free port. @defaultValue 8080 */
  readonly port?: number
}

/** A lab that runs. */
export interface Lab {
  /** Where to open it. */
  readonly url: string
  /** Ends every connection and the server. */
  close(): Promise<void>
}

/** What the page must know of a scenario: its code may be for Node alone. */
export type ScenarioEntry = Pick<Scenario, 'name' | 'title' | 'question' | 'places'>

/** What `/scenarios` answers. */
export interface Catalogue {
  readonly machine: Machine
  readonly scenarios: readonly ScenarioEntry[]
}

/** What the server knows of the wire of one panel. */
export interface Meter {
  /** Tells one connection of the panel from the next. */
  readonly connection: number
  /** Bytes that left on it so far, headers and framing included. */
  readonly bytes: number
  /** The last message that is among them. */
  readonly seq: number
}

/** How long a socket may take to carry away what it was given before the lab ends. */
const closeMs = 1000
/** How long they may then take through the relay. */
const lastWordsMs = 1000
/** How long the server is away when it restarts. */
const downMs = 1500
/** What a throttled panel gets: more than its stream has on most machines, so that it is late and not ever later. */
const throttledBytesPerSecond = 4096
const maxBodyBytes = 4096

// Five minutes, so that a panel may stay away that long and miss nothing.
const history = { messages: 6500, bytes: 16 * 1024 * 1024 }

/**
 * Opens the lab: one hub, whose messages reach two panels of one page over two transports, through a relay that makes the
 * faults; and the scenarios, which measure on a stage of their own.
 *
 * @throws (by rejection) the system's error when it cannot listen there.
 */
export async function startLab({ host = '127.0.0.1', port = 8080 }: LabOptions = {}): Promise<Lab> {
  let broker = memoryBroker(history)
  let house: House | undefined
  let publicPort = 0
  const runs = createRuns({
    host,
    allowed: () => originsOf(host, publicPort),
    tell: (event) => publishing.publish('runs', event),
    isThere: (page) => peersOf('page', page).length > 0,
  })
  const assets = loadAssets(async (request) => accessFor(request, await runs.stage())?.origins.relay)

  // Never listens: what reaches it has passed the guard.
  const app = createServer((request, response) => {
    if (assets(request, response)) return
    route(request, response).catch((error: Error) => {
      if (response.headersSent) response.destroy()
      else answer(response, { error: error.message }, 500)
    })
  })

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = requestUrl(request.url, request.headers.host)
    const query = url?.searchParams ?? new URLSearchParams()
    const panel = query.get('panel') ?? ''
    switch (`${request.method} ${url?.pathname}`) {
      case 'GET /clock':
        return answer(response, { now: clockMs() })
      case 'GET /meter':
        return answer(response, meterOf(peersOf('panel', panel).at(-1)))
      case 'POST /cut':
        return answer(response, { cut: links.cut(panel) })
      case 'POST /stall':
        return answer(response, { stalled: links.stall(panel) })
      case 'POST /release':
        return answer(response, { released: links.release(panel) })
      case 'POST /throttle': {
        const bytesPerSecond = query.get('on') === 'true' ? throttledBytesPerSecond : undefined
        links.throttle(panel, bytesPerSecond)
        return answer(response, { bytesPerSecond: bytesPerSecond ?? null })
      }
      case 'POST /restart': {
        const kept = query.get('history') !== 'lost'
        answer(response, { downMs }, 202)
        response.once('close', () => void restart(kept))
        return
      }
      case 'GET /scenarios':
        return answer(response, { machine: readMachine(), scenarios: everyScenario.map(entryOf) })
      case 'GET /stage':
        return answer(response, accessFor(request, await runs.stage()) ?? null)
      case 'GET /runs':
        return answer(response, runs.latest ?? null)
      case 'POST /runs': {
        const asked = readRun(await textOf(request, response, maxBodyBytes))
        if (typeof asked === 'string') return answer(response, { error: asked }, 400)
        const run = runs.begin(asked, query.get('page') ?? '')
        return 'refusal' in run ? answer(response, { error: run.refusal }, 409) : answer(response, run, 202)
      }
      case 'POST /runs/end':
        await runs.end(Number(query.get('run')), query.get('failure') ?? undefined)
        return answer(response, runs.latest ?? null)
      default:
        response
          .writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' })
          .end('there is nothing here\n')
    }
  }

  function peersOf(key: 'panel' | 'page', token: string): Peer[] {
    return [...(house?.hub.peers ?? [])].filter(({ url }) => url.searchParams.get(key) === token)
  }
  function meterOf(peer: Peer | undefined): Meter | null {
    if (peer === undefined || house === undefined) return null
    return { connection: house.numbers.get(peer) ?? 0, bytes: peer.bytesWritten, seq: publishing.seq }
  }

  const server = createServer()
  standBefore(app, server, (request) => {
    const reason = refusalOf(request, host)
    if (reason !== undefined) return { status: 403, reason }
    beginLink(request)
    return undefined
  })
  /** A socket may have been of another panel before. */
  const panelAt = new WeakMap<Socket, string>()
  function beginLink({ url, headers, socket }: IncomingMessage): void {
    const panel = panelOf(url, headers.host)
    const at = socket.remotePort
    if (panel === undefined || at === undefined) return
    const before = panelAt.get(socket)
    panelAt.set(socket, panel)
    if (before === undefined) socket.once('close', () => links.end(panelAt.get(socket) ?? panel, at))
    else if (before !== panel) links.end(before, at)
    links.begin(panel, at)
  }
  const sockets = trackSockets(server)
  let inner = 0
  const relay = await createRelay(() => inner, host, port)
  publicPort = relay.port
  const links = createLinks(relay, (at) => {
    const socket = sockets.get(at)
    socket?.destroy()
    return socket !== undefined
  })
  const publishing = startPublishing(broker)
  house = openHouse(app, broker)
  try {
    inner = await listen(server, reachableHost(host))
  } catch (error) {
    publishing.stop()
    await relay.close()
    throw error
  }

  let restarting: Promise<void> | undefined
  function restart(kept: boolean): Promise<void> {
    restarting ??= (async () => {
      const before = house
      house = undefined
      relay.setFaults({ shut: true })
      await before?.close({ code: 1012, reason: 'the server restarts' }, sockets)
      if (!kept) {
        broker = memoryBroker(history)
        publishing.moveTo(broker)
      }
      await delay(downMs, undefined, { signal: closing.signal }).catch(() => undefined)
      restarting = undefined
      if (closing.signal.aborted) return
      house = openHouse(app, broker)
      relay.setFaults({})
    })()
    return restarting
  }

  const closing = new AbortController()
  let ended: Promise<void> | undefined
  return {
    url: urlOf(host, publicPort),
    close() {
      ended ??= end()
      return ended
    },
  }

  async function end(): Promise<void> {
    closing.abort()
    await restarting
    publishing.stop()
    const closed = once(server, 'close')
    server.close()
    await Promise.all([house?.close({ code: 1001, reason: 'the server goes away' }, sockets), runs.close()])
    await closed
    // The last words have left the server, and have to get through the relay.
    await relay.close(lastWordsMs)
  }
}

/** The part of the lab that restarts. */
interface House {
  readonly hub: Hub
  /** Tells one connection from the next. */
  readonly numbers: WeakMap<Peer, number>
  /** Says goodbye, and ends every socket. */
  close(close: Close, sockets: ReadonlyMap<number, Socket>): Promise<void>
}

let connections = 0

function openHouse(app: Server, broker: Broker): House {
  const hub = createHub({ heartbeatMs: 5000, broker })
  const numbers = new WeakMap<Peer, number>()
  hub.onConnect((peer) => {
    connections += 1
    numbers.set(peer, connections)
  })
  hub.onMessage(({ event, data }, peer) => (event === 'chat' ? peer.send('chat', data) : undefined))
  const undo = serve(hub, app, { path: '/live', maxMessageBytes: 4096 })
  return {
    hub,
    numbers,
    async close(close, sockets) {
      const timer = setTimeout(() => {
        for (const socket of sockets.values()) socket.destroy()
      }, closeMs)
      await hub.close(close)
      undo()
      await Promise.all(
        [...sockets.values()].map((socket) => {
          // No `once` of events, which an error on the way out would make fail.
          const gone = new Promise((resolve) => socket.once('close', resolve))
          socket.destroySoon()
          return gone
        }),
      )
      clearTimeout(timer)
    },
  }
}

/** By the port at the other end: all come from the relay, so it tells them apart. */
function trackSockets(server: Server): ReadonlyMap<number, Socket> {
  const sockets = new Map<number, Socket>()
  server.on('connection', (socket: Socket) => {
    const port = socket.remotePort ?? 0
    sockets.set(port, socket)
    socket.once('close', () => {
      if (sockets.get(port) === socket) sockets.delete(port)
    })
  })
  return sockets
}

function answer(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
  })
  response.end(JSON.stringify(body))
}

async function listen(server: Server, host: string): Promise<number> {
  server.listen(0, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** The panel whose stream this asks for. */
function panelOf(target: string | undefined, host: string | undefined): string | undefined {
  if (!/^\/live\?/.test(target ?? '')) return undefined
  return requestUrl(target, host)?.searchParams.get('panel') ?? undefined
}

const entryOf = ({ name, title, question, places }: Scenario): ScenarioEntry => ({
  name,
  title,
  question,
  places,
})

/** @returns what is wrong with it, where something is. */
function readRun(body: string): RunRequest | string {
  let asked: Partial<Record<keyof RunRequest, unknown>> | null
  try {
    asked = JSON.parse(body)
  } catch {
    return 'the body is no JSON'
  }
  const { place, scenarios: names, quick } = asked ?? {}
  if (place !== 'node' && place !== 'page') return '`place` must be node or page'
  if (typeof quick !== 'boolean') return '`quick` must be true or false'
  if (!Array.isArray(names) || names.length === 0) return '`scenarios` must name at least one'
  const possible = everyScenario.filter(({ places }) => places.includes(place)).map(({ name }) => name)
  const stranger = names.find((name) => !possible.includes(name))
  if (stranger !== undefined) return `there is no scenario ${JSON.stringify(stranger)} for this place`
  return { place, quick, scenarios: possible.filter((name) => names.includes(name)) }
}

/** The stage as the page that asks can reach it: who opened the lab from elsewhere reaches neither at 127.0.0.1. */
function accessFor({ headers }: IncomingMessage, access: Access | undefined): Access | undefined {
  if (access === undefined) return undefined
  const hostname = requestUrl('/', headers.host)?.hostname
  if (hostname === undefined) return undefined
  const reach = (url: string) => {
    const to = new URL(url)
    if (hostname !== 'localhost') to.hostname = hostname
    return to.origin
  }
  const { direct, relay } = access.origins
  return {
    ...access,
    origins: { direct: reach(direct), relay: reach(relay) },
    control: reach(access.control),
  }
}
