import { readFileSync } from 'node:fs'
import { connect } from '@eitherway/client'
import { expect, test, vi } from 'vitest'
import { effectScope } from 'vue'
import { startHub } from './harness.ts'
import { connection, lastMessage, reduced } from './recipes/svelte.ts'
import { useConnection, useLastMessage, useReduced } from './recipes/vue.ts'

const root = new URL('../../../', import.meta.url)
const append = (all: readonly number[], one: number) => [...all, one]

test.each(['vue', 'svelte'])('the page shows the recipe for %s as it is', (name) => {
  const page = readFileSync(new URL('docs/guides/vue-and-svelte.md', root), 'utf8')
  const recipe = readFileSync(new URL(`recipes/${name}.ts`, import.meta.url), 'utf8')
  expect(page).toContain(`\`\`\`ts\n${recipe}\`\`\``)
})

test.each(['sse', 'ws'] as const)(
  'Vue over %s: refs follow, over a cut, until the scope ends',
  async (transport) => {
    await using bench = await startHub()
    await using client = connect(`${bench.origin}/live`, { transport, channels: ['news'] })
    const scope = effectScope()
    const refs = scope.run(() => ({
      link: useConnection(client),
      last: useLastMessage<number>(client, 'news'),
      all: useReduced(client, 'news', append, []),
    }))!
    const { link, last, all } = refs
    await vi.waitUntil(() => link.value.state === 'open', 10_000)
    await bench.hub.publish('news', 1)
    await vi.waitUntil(() => last.value === 1, 10_000)
    const lost = new Promise((resolve) => client.onState((_, reason) => reason && resolve(link.value)))
    bench.cut()
    await bench.hub.publish('news', 2)
    expect(await lost).toMatchObject({ state: 'waiting', reason: { code: 1006 } })
    await vi.waitUntil(() => last.value === 2, 10_000)
    expect(all.value).toEqual([1, 2])
    scope.stop()
    const heard = new Promise((resolve) => client.on('news', resolve))
    await bench.hub.publish('news', 3)
    await heard
    expect([last.value, all.value]).toEqual([2, [1, 2]])
  },
)

test.each(['sse', 'ws'] as const)(
  'Svelte over %s: stores follow, over a cut, while anybody looks',
  async (transport) => {
    await using bench = await startHub()
    await using client = connect(`${bench.origin}/live`, { transport, channels: ['news'] })
    const states: unknown[] = []
    const lasts: unknown[] = []
    const alls: unknown[] = []
    const offs = [
      connection(client).subscribe(({ state, reason }) => states.push([state, reason?.code])),
      lastMessage<number>(client, 'news').subscribe((data) => lasts.push(data)),
      reduced(client, 'news', append, []).subscribe((all) => alls.push(all)),
    ]
    await vi.waitUntil(() => states.length === 2, 10_000)
    await bench.hub.publish('news', 1)
    await vi.waitUntil(() => lasts.at(-1) === 1, 10_000)
    bench.cut()
    await bench.hub.publish('news', 2)
    await vi.waitUntil(() => lasts.at(-1) === 2, 10_000)
    expect(alls.at(-1)).toEqual([1, 2])
    expect(states).toContainEqual(['waiting', 1006])
    for (const off of offs) off()
    const heard = new Promise((resolve) => client.on('news', resolve))
    await bench.hub.publish('news', 3)
    await heard
    expect([lasts.at(-1), alls.at(-1)]).toEqual([2, [1, 2]])
  },
)
