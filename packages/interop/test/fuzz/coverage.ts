import { type Profiler, Session } from 'node:inspector'

/** Says where inputs have led. */
export interface Coverage {
  /** The parts of our code that ran since the last call, each with how often, roughly. */
  reached(): string[]
  stop(): void
}

/**
 * V8's own counts, of each block of the sources that fit. A block that ran ten times is news after one that ran twice, as in
 * AFL: a loop has more than one way to go wrong.
 */
export function startCoverage(isOurs: (url: string) => boolean): Coverage {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  const ours = new Map<string, boolean>()

  function taken(): Profiler.ScriptCoverage[] {
    let scripts: Profiler.ScriptCoverage[] = []
    // The answer comes before `post` returns.
    session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error
      scripts = answer.result
    })
    return scripts
  }

  return {
    reached() {
      const reached: string[] = []
      for (const { scriptId, url, functions } of taken()) {
        let known = ours.get(scriptId)
        if (known === undefined) {
          known = isOurs(url)
          ours.set(scriptId, known)
        }
        if (!known) continue
        for (const { ranges } of functions) {
          for (const { startOffset, endOffset, count } of ranges) {
            if (count > 0) reached.push(`${scriptId}:${startOffset}:${endOffset}:${32 - Math.clz32(count)}`)
          }
        }
      }
      return reached
    },
    stop() {
      session.disconnect()
    },
  }
}
