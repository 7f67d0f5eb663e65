/**
 * The contracts of Eitherway, without I/O: what a transport is, what crosses the wire, how a link ends, and how a client
 * lives through many of them.
 *
 * @packageDocumentation
 */
export { AcceptedLink } from './accepted.ts'
export { addressOf } from './address.ts'
export type { Agreement, Contract, Part, Payload, ReceivedOf } from './agreement.ts'
export { clampRetryMs, maxRetryMs, minRetryMs } from './backoff.ts'
export { type BinaryLibrary, binaryFormat } from './binary-format.ts'
export type { Answer, Broker, BrokerListener, History, HistoryBounds, Presence, Relay } from './broker.ts'
export {
  type Call,
  callMessage,
  checkRequestName,
  failureData,
  failureOf,
  maxRequestNameBytes,
  readCall,
} from './call.ts'
export {
  type Close,
  checkClose,
  closeCode,
  closeCodeOfStatus,
  fitReason,
  mayReturn,
} from './close.ts'
export { type Compression, type CompressionOptions, thresholdOf } from './compression.ts'
export { type Corkable, createCork } from './cork.ts'
export { isDeeper, isNested } from './depth.ts'
export { createEnding, type Ending } from './ending.ts'
export {
  ConnectError,
  type ConnectErrorOptions,
  ProtocolError,
  RequestError,
  type RequestErrorOptions,
} from './errors.ts'
export { type Format, type FormatOption, formatOf, json, text } from './format.ts'
export {
  type Codec,
  checkSize,
  type Decoder,
  defaultMaxMessageBytes,
  type Encoder,
  type Frame,
  fromTriple,
  type Gap,
  type Limits,
  maxMessageBytesOf,
  type Triple,
  toTriple,
} from './frame.ts'
export { Inbox, type InboxOptions } from './inbox.ts'
export {
  begin,
  type Effect,
  type Input,
  isGreeting,
  type Lifecycle,
  type LifecycleOptions,
  type State,
  type Step,
  step,
} from './lifecycle.ts'
export { type LinkedOptions, linked } from './linked.ts'
export {
  byteLength,
  checkId,
  checkName,
  costOf,
  createMessage,
  defaultEvent,
  kind,
  type Message,
  maxIdBytes,
  maxNameBytes,
  type Received,
  show,
} from './message.ts'
export { isSameOrigin } from './origin.ts'
export { createQueue, type Queue } from './queue.ts'
export { turnAway } from './refusal.ts'
export {
  authorityOf,
  hasBody,
  malformed,
  maxParameters,
  maxTargetBytes,
  type NodeRequest,
  oversized,
  type RequestArrival,
  requestArrival,
  requestUrl,
  retryAfterMs,
} from './request.ts'
export { checkFunction, checkNumber, checkOptions, checkWhole, type OptionNames } from './setting.ts'
export { checkToken, maxTokenLength, tokenProtocol } from './token.ts'
export type {
  Accept,
  Accepted,
  Admission,
  Admit,
  Arrival,
  Choice,
  Closable,
  Connection,
  ConnectOptions,
  Direction,
  Gate,
  OneWayConnection,
  Owner,
  Refusal,
  Remote,
  ServerConnection,
  Transport,
  TwoWayConnection,
  Waiting,
} from './transport.ts'
export { webRequest } from './web-request.ts'
