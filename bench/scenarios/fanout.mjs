import { fanOut } from './slices.mjs'

/** @type {import('../bench.mjs').Scenario} */
export default fanOut({
  name: 'fanout',
  title: 'Fan-out, 1 message per tick',
  about: 'One message to every client in each turn of the event loop.',
  perTick: 1,
})
