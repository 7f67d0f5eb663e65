import { hostileSuite } from '@eitherway/core/testing'
import { describe, test } from 'vitest'
import { entrances, startStage, usedBytes } from './hostile.ts'

for (const entrance of Object.values(entrances)) {
  describe(entrance.name, () => {
    hostileSuite({ test, entrance, setup: () => startStage(), usedBytes })
  })
}
