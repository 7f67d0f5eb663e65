import { eventStream, publishing, webSocketMessage } from './codecs.ts'
import { depth, durations, gateSettings, positions } from './limits.ts'
import { served } from './served.ts'
import type { Target } from './target.ts'

export const targets: readonly Target[] = [
  eventStream,
  webSocketMessage,
  publishing,
  served,
  depth,
  positions,
  durations,
  gateSettings,
]
