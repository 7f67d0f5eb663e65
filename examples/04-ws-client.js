// Asks for a line, sends it, prints the answer. `plain`: to any WebSocket server that speaks text.
//
//   npm run example 04-ws-client
//   npm run example 04-ws-client -- --url ws://127.0.0.1:8080/live
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { connect } from '@eitherway/client'
import { ws } from '@eitherway/ws/client'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'ws://127.0.0.1:8080/live' },
    help: { type: 'boolean', short: 'h' },
  },
})
if (values.help) {
  console.log('Options: --url <url> (ws://127.0.0.1:8080/live)')
  process.exit()
}
if (!/^(ws|http)s?:/.test(values.url) || !URL.canParse(values.url)) {
  console.error(`--url must be a ws:// or wss:// URL, got ${values.url}`)
  process.exit(1)
}

const input = createInterface({ input: process.stdin, output: process.stdout })
input.setPrompt('Enter a message to send: ')
input.prompt()
// At the end of the input there is no line, and nothing to do.
for await (const line of input) {
  input.close()
  const client = connect(values.url, { transport: ws({ plain: true }), format: 'text', reconnect: false })
  client.on('message', (answer) => {
    console.log(`Received: ${answer}`)
    return client.close()
  })
  // Fails only where the client has ended, which `closed` tells as well.
  await client.send('message', line).catch(() => client.close())
  const { code, reason } = await client.closed
  if (code !== 1000) {
    console.error(`no answer: ${code} ${reason}`)
    process.exitCode = 1
  }
  break
}
