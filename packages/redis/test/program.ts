import { createPublisher } from '@eitherway/redis'
import { Redis } from 'ioredis'
import { serveChaos } from './chaos-node.ts'
import { follow, startNode } from './nodes.ts'

/*
 * A node of its own: `follow` prints what a client of it is told, with its gaps; `publish` publishes one number after the other to
 * the channel `a`, and prints the id of each; `close` ends when nothing keeps it; `chaos` is of `chaos-node.ts`.
 */
const [role, port, ...rest] = process.argv.slice(2)
const client = new Redis({ port: Number(port), host: '127.0.0.1', lazyConnect: true })
const say = (line: string) => process.stdout.write(`${line}\n`)

if (role === 'follow') {
  const { client: follower } = await follow(startNode(client), 'a')
  follower.on('a', (data) => say(String(data)))
  follower.onGap((gap) => say(`gap ${gap.reason}`))
  say('open')
} else if (role === 'chaos') {
  await serveChaos(client, rest, say)
} else if (role === 'close') {
  const node = startNode(client)
  await node.hub.publish('a', 1)
  await node[Symbol.asyncDispose]()
  say('closed')
} else {
  const publisher = createPublisher({ client })
  for (let number = 0; ; number += 1) say(await publisher.publish('a', number))
}
