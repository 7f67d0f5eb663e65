// A page in React: rendered by the server, then live over SSE.
//
//   npm run example 10-react
//
// and open what it prints. Its components are in react/page.jsx, its hooks in react/live.js.
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createHub, serve } from '@eitherway/server'
import { build } from 'esbuild'

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8080' },
    help: { type: 'boolean', short: 'h' },
  },
})
if (values.help) {
  console.log('Options: --port <number> (8080; 0 for any free one), --host <address> (127.0.0.1)')
  process.exit()
}
if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
  console.error(`--port must be a number from 0 to 65535, got ${values.port}`)
  process.exit(1)
}

const script = await bundle('browser')
// For the server as a module in memory. A framework does both of these for you.
const { render } = await import(
  `data:text/javascript;base64,${Buffer.from(await bundle('node')).toString('base64')}`
)

const hub = createHub()
const prices = { EURUSD: 1.08, EURCHF: 0.95 }
const ticks = setInterval(() => {
  prices.EURUSD += (Math.random() - 0.5) / 1000
  void hub.publish('prices', { EURUSD: prices.EURUSD })
}, 500)

const server = createServer((request, response) => {
  if (request.url === '/') {
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    response.end(
      `<!doctype html><title>Prices</title><main>${render()}</main><script type="module" src="/page.js"></script>`,
    )
  } else if (request.url === '/page.js') {
    response.setHeader('Content-Type', 'text/javascript').end(script)
  } else if (request.url === '/prices') {
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify(prices))
  } else {
    response.writeHead(404).end()
  }
})
serve(hub, server, { path: '/live' })
server.listen({ host: values.host, port: Number(values.port) }, () => {
  const { address, port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://${address}:${port}/`)
})
server.on('error', ({ message }) => {
  console.error(`${message}; name another with --port or --host`)
  process.exit(1)
})
process.once('SIGINT', async () => {
  clearInterval(ticks)
  await hub.close()
  server.close()
})

/** @param {'browser' | 'node'} platform */
async function bundle(platform) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('react/page.jsx', import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    jsx: 'automatic',
    platform,
    // React's server part asks for Node's own modules by `require`.
    ...(platform === 'node' && {
      banner: {
        js: `import { createRequire } from 'node:module'; const require = createRequire(${JSON.stringify(import.meta.url)})`,
      },
    }),
  })
  return /** @type {{ text: string }} */ (outputFiles[0]).text
}
