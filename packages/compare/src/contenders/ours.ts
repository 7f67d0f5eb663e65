import { connect } from '@eitherway/client'
import type { Contender, Hear, Line, Where } from '../contender.ts'
import { unpack } from '../parcel.ts'

/** Ours, over either transport: the one word differs. */
export const ours: readonly Contender[] = [
  {
    name: 'sse',
    title: 'SSE',
    transport: 'sse',
    control: false,
    house: 'ours',
    open: (where, hear) => open('sse', where, hear),
  },
  {
    name: 'ws',
    title: 'WebSocket',
    transport: 'ws',
    control: false,
    house: 'ours',
    open: (where, hear) => open('ws', where, hear),
  },
]

async function open(
  transport: 'sse' | 'ws',
  { origin, client: name, channels, silenceMs }: Where,
  hear: Hear,
): Promise<Line> {
  const url = new URL('/ours', origin)
  url.searchParams.set('client', name)
  const client = connect(url, {
    transport,
    channels,
    format: 'text',
    ...(silenceMs === undefined ? {} : { silenceMs }),
  })
  for (const channel of channels) {
    client.on<string | Uint8Array>(channel, (data) => hear.parcel?.(unpack(data)))
  }
  client.on<string>('echo', (text) => hear.echo?.(text))
  client.onGap(() => hear.gap?.())
  await new Promise<void>((resolve, reject) => {
    client.onState((state, reason) => {
      if (state === 'open') resolve()
      if (state === 'closed') reject(new Error(`closed before it was open: ${reason?.reason}`))
      if (state !== 'connecting') hear.state?.(state === 'waiting' ? 'away' : state)
    })
  })
  return {
    async say(text) {
      if (client.direction === 'two-way') await client.send('say', text)
      else await post(origin, name, 'ours', text)
    },
    async close() {
      await client.close()
    },
  }
}

/** What an application does beside a one-way stream. */
export async function post(
  origin: string,
  client: string,
  house: 'ours' | 'bare',
  text: string,
): Promise<void> {
  const url = new URL('/say', origin)
  url.searchParams.set('client', client)
  url.searchParams.set('house', house)
  const response = await fetch(url, { method: 'POST', body: text })
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  await response.arrayBuffer()
}
