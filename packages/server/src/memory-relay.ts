import { type Answer, type Relay, show } from '@eitherway/core'

/** The relay of a single process: for hubs that share one memory broker. */
export function memoryRelay(): Relay {
  const nodes = new Map<string, Answer>()

  async function put(node: string, question: string): Promise<string> {
    const answer = nodes.get(node)
    if (answer === undefined)
      throw new Error(`nobody answers as node ${show(node)}; it has left, or was never here`)
    try {
      return await answer(question)
    } catch {
      // Its own to tell: what went wrong there may hold what was asked.
      throw new Error(`node ${show(node)} failed to answer`)
    }
  }

  return {
    join(node, answer) {
      nodes.set(node, answer)
      return () => {
        if (nodes.get(node) === answer) nodes.delete(node)
      }
    },
    ask(node, question, signal) {
      return new Promise((resolve, reject) => {
        signal.throwIfAborted()
        const onAbort = () => reject(signal.reason)
        signal.addEventListener('abort', onAbort)
        void put(node, question)
          .then(resolve, reject)
          .finally(() => signal.removeEventListener('abort', onAbort))
      })
    },
  }
}
