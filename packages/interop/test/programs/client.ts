import { connect } from '@eitherway/client'
import { print, shown } from './print.ts'

/** Our client. It tells all that it hears, and answers what it is asked where it can. */
export async function start({
  url,
  transport,
  channels,
  format = 'json',
}: {
  url: string
  transport: 'sse' | 'ws'
  channels: readonly string[]
  format?: 'json' | 'text'
}): Promise<void> {
  const client = connect(url, { transport, channels, format })
  client.onGap((gap) => print({ gap }))
  client.on('question', (data) => {
    if (client.direction === 'two-way') void client.send('answer', data)
  })
  for await (const { event, data } of client) print([event, shown(data)])
  const { code, reason } = await client.closed
  print({ code, reason })
}
