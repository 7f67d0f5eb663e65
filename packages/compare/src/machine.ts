import { cpus, release, totalmem, type } from 'node:os'
import type { Machine } from './report.ts'

/** What this process runs on, and so every stage that it starts. */
export function readMachine(): Machine {
  const cores = cpus()
  return {
    node: process.versions.node,
    system: `${type()} ${release()}, ${process.arch}`,
    // Blank where the system does not tell, as on some ARM boards.
    processor: cores[0]?.model.trim() || 'unknown processor',
    cores: cores.length,
    memoryBytes: totalmem(),
  }
}
