// The hooks of this application's client, made once.
import { createHooks } from '@eitherway/react'

/** @typedef {Record<string, number>} Prices */

export const { Provider, useConnection, useReduced } =
  /** @type {typeof createHooks<import('@eitherway/client').OneWayClient, { prices: Prices }>} */ (
    createHooks
  )()
