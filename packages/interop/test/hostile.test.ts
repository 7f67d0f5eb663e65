import { hostileSuite } from '@eitherway/core/testing'
import { describe, test } from 'vitest'
import { entrances, posting, startStage, usedBytes } from './hostile.ts'

for (const entrance of [...Object.values(entrances), posting]) {
  describe(entrance.name, () => {
    hostileSuite({ test, entrance, setup: () => startStage(), usedBytes })
  })
}
