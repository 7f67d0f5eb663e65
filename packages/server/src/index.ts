/**
 * The server's side of Eitherway: a hub that publishes, and `serve`, which mounts it on Node's http, https or http2 with
 * all transports on one URL.
 *
 * @packageDocumentation
 */
export type {
  Agreement,
  Arrival,
  Broker,
  Close,
  Compression,
  CompressionOptions,
  Contract,
  Format,
  FormatOption,
  Received,
  Refusal,
  RequestErrorOptions,
} from '@eitherway/core'
export { RequestError } from '@eitherway/core'
export type { AdmissionOptions, Authorized } from './admission.ts'
export type { SlowPolicy } from './backlog.ts'
export type { Requested, RequestHandler } from './calls.ts'
export type { OnRequest, Publish, ReceivedFrom, Send } from './contract.ts'
export { createHub } from './create-hub.ts'
export type { GateOptions } from './gate.ts'
export type { EntranceHub, Hub } from './hub.ts'
export { type HistoryLimits, memoryBroker } from './memory.ts'
export type { CloseOptions, HubOptions, PublishOptions } from './options.ts'
export type { Peer, SendOptions } from './peer.ts'
export type { PlaceLimits } from './places.ts'
export {
  createListeners,
  type Listeners,
  type ListenersOptions,
  type NodeServer,
  type ServeOptions,
  serve,
} from './serve.ts'
export type { Signals } from './signals.ts'
export { sourceOf } from './source.ts'
export type { HubStats } from './stats.ts'
