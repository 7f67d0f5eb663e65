import { connect } from '@eitherway/client'
import { print, shown } from './print.ts'

/** Our client. It tells all that it hears, and answers what it is asked where it can. */
export async function start({
  url,
  transport,
  channels,
  format = 'json',
  tokens,
}: {
  url: string
  transport: 'sse' | 'ws' | 'sse+post'
  channels: readonly string[]
  format?: 'json' | 'text'
  /** Shown in turn: the next whenever one is to be renewed, which is told. */
  tokens?: readonly string[]
}): Promise<void> {
  let at = 0
  const token = ({ renew }: { readonly renew: boolean }) => {
    print({ renew })
    if (renew) at += 1
    return tokens?.[at]
  }
  const client = connect(url, { transport, channels, format, ...(tokens !== undefined && { token }) })
  client.onGap((gap) => print({ gap }))
  client.on('question', (data) => {
    if (client.direction === 'two-way') void client.send('answer', data)
  })
  for await (const { event, data } of client) print([event, shown(data)])
  const { code, reason } = await client.closed
  print({ code, reason })
}
