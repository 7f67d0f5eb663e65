// A hub as a route of Next.js: this file is `app/live/route.js`. A route of Next.js takes no upgrades, so `sse` and `sse+post` work
// here and `ws` does not: for that, `serve` stands before Next's request handler in a server of your own.
import { createHandler, createHub } from '@eitherway/server/web'

// Next loads a route anew whenever it changes, and in more than one bundle: there has to be one hub for all of them.
const shared = /** @type {{ hub?: import('@eitherway/server/web').Hub }} */ (globalThis)
shared.hub ??= createHub()
export const hub = shared.hub

export const dynamic = 'force-dynamic'
export const runtime = 'nodejs'

const handle = createHandler(hub)

export { handle as GET, handle as OPTIONS, handle as POST }
