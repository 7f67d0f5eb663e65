// Questions and answers over one WebSocket: a reply, an error that was meant to cross, and a question that is given up.
//
//   npm run example 09-requests
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect, RequestError } from '@eitherway/client'
import { createHub, serve } from '@eitherway/server'

const { help } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } }).values
if (help) {
  console.log('No options.')
  process.exit()
}

const hub = createHub()
hub.onRequest('sum', (/** @type {number[]} */ numbers) => numbers.reduce((sum, number) => sum + number, 0))
hub.onRequest('book', (/** @type {{ seat: string }} */ { seat }) => {
  throw new RequestError(`${seat} is taken`, { code: 'taken', data: { left: ['a7', 'c2'] } })
})
const gaveUp = new Promise((resolve) => {
  hub.onRequest('report', async (_, { signal }) => {
    signal.addEventListener('abort', () => resolve(console.log('the hub works on the report no longer')))
    await setTimeout(3_600_000, undefined, { signal })
  })
})

const server = createServer()
serve(hub, server, { path: '/live' })
await once(server.listen(0, '127.0.0.1'), 'listening')
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())

const client = connect(`http://127.0.0.1:${port}/live`, { transport: 'ws' })
console.log('1 + 2 + 3 is', await client.request('sum', [1, 2, 3]))
try {
  await client.request('book', { seat: 'b5' })
} catch (error) {
  if (!(error instanceof RequestError)) throw error
  console.log(`${error.code}: ${error.message}`, error.data)
}
try {
  await client.request('report', null, { timeoutMs: 100 })
} catch (error) {
  console.log(`${error}`)
}
await gaveUp

await client.close()
await hub.close()
server.close()
