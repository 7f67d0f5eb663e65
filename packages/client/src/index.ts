/**
 * The client's side of Eitherway: `connect`, in which the transport is one word.
 *
 * @packageDocumentation
 */
export type {
  Agreement,
  Choice,
  Close,
  Contract,
  Direction,
  Format,
  FormatOption,
  Gap,
  Received,
  State,
  Transport,
} from '@eitherway/core'
export { ConnectError, ProtocolError, RequestError } from '@eitherway/core'
export type { RequestOptions } from './calls.ts'
export type { Client, Handler, Listener, OneWayClient, TwoWayClient } from './client.ts'
export { connect } from './connect.ts'
export type { On, ReceivedBy, Request, Send, SendOptions } from './contract.ts'
export type { ClientOptions } from './options.ts'
export type { DirectionOf, TransportNames, TransportOption } from './transports.ts'
