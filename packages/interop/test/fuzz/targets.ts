import { eventStream, publishing, webSocketMessage } from './codecs.ts'
import { depth, durations, gateSettings, positions } from './limits.ts'
import { posting } from './posting.ts'
import { served } from './served.ts'
import type { Target } from './target.ts'

export const targets: readonly Target[] = [
  eventStream,
  webSocketMessage,
  publishing,
  served,
  posting,
  depth,
  positions,
  durations,
  gateSettings,
]
