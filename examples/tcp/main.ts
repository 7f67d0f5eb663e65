// A hub and a client over a transport that is not ours: lines of JSON over TCP.
//
//   npm run example examples/tcp/main.ts
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { connect } from '@eitherway/client'
import { createHub } from '@eitherway/server'
import { tcp } from './client.ts'
import { createListener } from './server.ts'

const hub = createHub()
hub.onRequest<string>('greet', (name) => `hello ${name}`)
const server = createServer(createListener(hub.accept)).listen(0, '127.0.0.1')
await once(server, 'listening')

const { port } = server.address() as AddressInfo
const client = connect(`http://127.0.0.1:${port}/`, { transport: tcp(), channels: ['prices'] })
const heard = new Promise((resolve) => client.on('prices', resolve))
console.log(await client.request('greet', 'ada'))
await hub.publish('prices', { EURUSD: 1.08 })
console.log(await heard)

await client.close()
await hub.close()
server.close()
