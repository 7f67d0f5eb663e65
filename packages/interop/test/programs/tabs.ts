import { connect } from '@eitherway/client'
import { shared } from '@eitherway/client/tabs'

/**
 * A page whose link is shared with the other tabs. It keeps what it hears for whoever drives it from outside.
 *
 * Globals of the page: `client`, `heard`, `gaps`, `states` and `renewals` so far; `reached`, which waits for a message;
 * `leads`, which tells whether this tab has the link.
 */
export function start({ url, silenceMs }: { url: string; silenceMs?: number }): void {
  const heard: unknown[] = []
  const gaps: unknown[] = []
  const states: string[] = []
  const renewals: boolean[] = []
  let wake = () => {}
  const client = connect(url, {
    transport: shared('sse', { user: 'u-17' }),
    channels: ['news'],
    token({ renew }) {
      renewals.push(renew)
      return 'a-token'
    },
    ...(silenceMs !== undefined && { silenceMs }),
  })
  client.on('news', (data) => {
    heard.push(data)
    wake()
  })
  client.onGap((gap) => gaps.push(gap))
  client.onState((state) => {
    states.push(state)
    wake()
  })

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }

  async function leads(): Promise<boolean> {
    const name = crypto.randomUUID()
    const held = async () => (await navigator.locks.query()).held ?? []
    const me = await navigator.locks.request(name, async () =>
      (await held()).find((lock) => lock.name === name),
    )
    return (await held()).some((lock) => lock.name?.startsWith('eitherway') && lock.clientId === me?.clientId)
  }

  Object.assign(globalThis, {
    client,
    heard,
    gaps,
    states,
    renewals,
    leads,
    isOpen: () => until(() => client.state === 'open'),
    reached: (last: unknown) => until(() => heard.at(-1) === last),
  })
}
