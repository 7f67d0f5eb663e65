import { connect } from '@eitherway/client'
import { StrictMode } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { Provider, useConnection, useReduced } from './live.js'

/** @typedef {import('./live.js').Prices} Prices */

function Page() {
  return (
    <Provider connect={() => connect('/live', { transport: 'sse', channels: ['prices'] })}>
      <Status />
      <Board />
    </Provider>
  )
}

function Status() {
  const { state, reason } = useConnection()
  return (
    <p>
      {state} {reason?.reason}
    </p>
  )
}

function Board() {
  const prices = useReduced('prices', merge, none, read)
  return (
    <ul>
      {Object.entries(prices).map(([name, price]) => (
        <li key={name}>
          {name} {price.toFixed(4)}
        </li>
      ))}
    </ul>
  )
}

/** @type {Prices} */
const none = {}

/**
 * Bears a message twice: what was read may have it already.
 * @param {Prices} prices
 * @param {{ data: Prices }} message
 */
const merge = (prices, { data }) => ({ ...prices, ...data })

/**
 * Now, and again after a gap.
 * @param {AbortSignal} signal
 * @returns {Promise<Prices>}
 */
const read = async (signal) => (await fetch('/prices', { signal })).json()

const app = (
  <StrictMode>
    <Page />
  </StrictMode>
)

/** On the server. */
export const render = () => renderToString(app)

/** In the page. */
if (typeof document !== 'undefined') {
  hydrateRoot(/** @type {HTMLElement} */ (document.querySelector('main')), app)
}
