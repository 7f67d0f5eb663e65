import { timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { textOf } from '../body.ts'
import type { Commands } from './stage.ts'

/** What answers the commands. */
export type Handlers = {
  readonly [C in keyof Commands]: (
    input: Commands[C]['input'],
  ) => Commands[C]['output'] | Promise<Commands[C]['output']>
}

/** Who may give commands. */
export interface ControlSettings {
  readonly host: string
  /** Whoever knows it. */
  readonly token: string
  /** Pages of these origins may read the answers. */
  readonly allowed: readonly string[]
}

/** Of what is read before it is known who asks. */
const maxBodyBytes = 64 * 1024

/**
 * Listens for commands, on a port of its own, so that it can be spoken to while the server under measurement is away.
 *
 * @returns its port.
 */
export async function createControl(handlers: Handlers, settings: ControlSettings): Promise<number> {
  const server = createServer(async (request, response) => {
    const { origin } = request.headers
    const headers: Record<string, string> = {
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
    }
    if (origin !== undefined && settings.allowed.includes(origin)) {
      headers['Access-Control-Allow-Origin'] = origin
    }
    const answer = (status: number, body: object): void => {
      response.writeHead(status, headers).end(JSON.stringify(body))
    }
    try {
      if (request.method !== 'POST') return answer(400, { error: 'no command' })
      const body = await textOf(request, response, maxBodyBytes)
      const { token, command, input } = JSON.parse(body) as Record<string, unknown>
      if (!isSame(String(token), settings.token))
        return answer(403, { error: 'the token is not of this run' })
      if (typeof command !== 'string' || !Object.hasOwn(handlers, command)) {
        return answer(404, { error: `there is no command ${JSON.stringify(command)}` })
      }
      const handler = handlers[command as keyof Commands] as (input: unknown) => unknown
      answer(200, { output: await handler(input) })
    } catch (error) {
      answer(500, { error: (error as Error).message })
    }
  })
  // A command may take as long as what it measures.
  server.requestTimeout = 0
  server.listen(0, settings.host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
