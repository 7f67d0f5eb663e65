import { EventSource as EventSourceOfPackage } from 'eventsource'
import { WebSocket as WebSocketOfPackage } from 'ws'
import type { Contender } from '../contender.ts'
import { bareOf } from './bare.ts'
import { ours } from './ours.ts'

/** All that can be compared in Node, which has no `EventSource`, and before 22 no `WebSocket`. */
export const contenders: readonly Contender[] = [
  ...ours,
  ...bareOf({
    EventSource: EventSourceOfPackage as unknown as typeof EventSource,
    WebSocket: globalThis.WebSocket ?? (WebSocketOfPackage as unknown as typeof WebSocket),
  }),
]
