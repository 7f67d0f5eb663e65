import { fanOut } from './slices.mjs'

/** @type {import('../bench.mjs').Scenario} */
export default fanOut({
  name: 'burst',
  title: 'Fan-out, 10 messages per tick',
  about: 'Ten messages to every client in each turn of the event loop.',
  perTick: 10,
})
