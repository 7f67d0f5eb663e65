/** As much of Node's streams as holds back what is written, to let it go in one piece. */
export interface Corkable {
  cork(): void
  uncork(): void
}

/**
 * Makes what holds a stream's first words back until the turn of the event loop is over, so that an answer and the greeting
 * behind it leave in one write.
 *
 * @param afterTurn - runs something once the turn's microtasks have run.
 * @internal
 */
export function createCork(afterTurn: (run: () => void) => void): (sink: Corkable) => void {
  let corked: Corkable[] = []

  function uncork(): void {
    const sinks = corked
    corked = []
    for (const sink of sinks) sink.uncork()
  }

  return (sink) => {
    sink.cork()
    corked.push(sink)
    if (corked.length === 1) afterTurn(uncork)
  }
}
