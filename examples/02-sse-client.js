// Prints an event stream line by line, as it comes, from any server of text/event-stream.
//
//   npm run example 02-sse-client
//   npm run example 02-sse-client -- --url http://127.0.0.1:8080/live
import { parseArgs } from 'node:util'
import { ConnectError } from '@eitherway/client'
import { sse } from '@eitherway/sse/client'
import { codec } from '@eitherway/sse/codec'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080/live' },
    help: { type: 'boolean', short: 'h' },
  },
})
if (values.help) {
  console.log('Options: --url <url> (http://127.0.0.1:8080/live)')
  process.exit()
}
if (!/^https?:/.test(values.url) || !URL.canParse(values.url)) {
  console.error(`--url must be an http:// or https:// URL, got ${values.url}`)
  process.exit(1)
}

// Whoever read the output has seen enough: `| head -1`.
process.stdout.on('error', (error) => {
  if ('code' in error && error.code === 'EPIPE') process.exit()
  throw error
})

// The transport without the client: one link, no second try, and a refusal with its HTTP status. The codec writes each
// frame back as the lines it came in; comments and Eitherway's own `~` events are left out.
try {
  const connection = await sse().connect(new URL(values.url), {
    lastEventId: '',
    channels: [],
    signal: new AbortController().signal,
  })
  for await (const frame of connection) {
    if (frame.type === 'message' || frame.type === 'retry') process.stdout.write(codec.encode(frame))
  }
  const { code, reason } = await connection.closed
  console.error(`end of the stream: ${code} ${reason}`)
} catch (error) {
  if (!(error instanceof ConnectError)) throw error
  // An answer of 200 is refused too, where it is no event stream.
  const hasStatus = error.status !== undefined && error.status !== 200
  console.log(hasStatus ? `Failed to connect to SSE stream. Status code: ${error.status}` : error.message)
  process.exitCode = 1
}
