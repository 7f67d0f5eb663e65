/**
 * The conformance suites. They take `test` as an argument, so they run under any test framework, against our transports
 * and anybody's.
 *
 * @packageDocumentation
 */
export {
  type Attack,
  type AttackTarget,
  clientFrame,
  type Entrance,
  type FrameOptions,
  type Outcome,
  requestOf,
} from './attack.ts'
export { attacks } from './attacks.ts'
export { type BrokerSetup, type BrokerSuite, brokerSuite } from './broker-suite.ts'
export { type CodecSuite, codecSuite } from './codec-suite.ts'
export {
  type Bystander,
  type HostileLink,
  type HostileSetup,
  type HostileSuite,
  hostileSuite,
} from './hostile-suite.ts'
export {
  createNetwork,
  type Meeting,
  type Network,
  type NetworkLink,
  type NetworkOptions,
  type Timers,
  type Wire,
} from './network.ts'
export { callSamples, dataSamples, frameSamples, messageSamples } from './samples.ts'
export { assert, assertEqual, errorOf, seeded, type TestFunction, within } from './suite.ts'
export { type TransportSetup, type TransportSuite, transportSuite } from './transport-suite.ts'
