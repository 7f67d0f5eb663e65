/**
 * The server's side of Eitherway: a hub that publishes, and `serve`, which mounts it on Node's http, https or http2 with
 * both transports on one URL.
 *
 * @packageDocumentation
 */
export type {
  Broker,
  Close,
  Compression,
  CompressionOptions,
  Format,
  FormatOption,
  Received,
} from '@eitherway/core'
export type { SlowPolicy } from './backlog.ts'
export {
  type CloseOptions,
  createHub,
  type Hub,
  type HubOptions,
  type PublishOptions,
} from './hub.ts'
export { type HistoryLimits, memoryBroker } from './memory.ts'
export type { Peer, SendOptions } from './peer.ts'
export { type NodeServer, type ServeOptions, serve } from './serve.ts'
