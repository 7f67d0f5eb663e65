import { type Answer, type Relay, show } from '@eitherway/core'
import type { Link } from './link.ts'
import { postLua } from './lua-nodes.ts'
import type { Settings } from './options.ts'
import { persist } from './patience.ts'
import { nodeTtlMs } from './presence.ts'
import { createScript } from './script.ts'

/** How hubs ask one another, through the inboxes of their nodes. */
export interface NodeRelay extends Relay {
  /** Something came into this node's inbox. */
  hear(fields: readonly Buffer[]): void
  /** Says which hubs are here. To be called every few seconds. */
  tell(): Promise<void>
  end(): void
}

interface Asked {
  resolve(answer: string): void
  reject(error: unknown): void
}

const posting = createScript(postLua)

/** Makes one, of no hubs. @param node - where its inbox is. */
export function createRelay({ keys, timeoutMs }: Settings, link: Link, node: string): NodeRelay {
  const hubs = new Map<string, Answer>()
  const asked = new Map<string, Asked>()
  let count = 0
  let hasEnded = false

  async function say(name: string): Promise<void> {
    await link.send(['SET', keys.hub(name), node, 'PX', String(nodeTtlMs)], timeoutMs)
  }

  /** @returns the number that the script says. */
  async function post(
    names: readonly string[],
    to: string,
    fields: readonly [string, string, string, string],
  ): Promise<number> {
    return Number(await posting.run(link, names, [keys.inbox(''), to, ...fields], timeoutMs))
  }

  /** What went wrong is this hub's own to tell: it may hold what was asked. */
  async function answer(to: string, number: string, name: string, question: string): Promise<void> {
    let reply: string | undefined
    try {
      reply = await hubs.get(name)?.(question)
    } catch {
      reply = undefined
    }
    await post([], to, reply === undefined ? ['failed', number, '', ''] : ['answer', number, '', reply])
  }

  return {
    join(name, answer) {
      hubs.set(name, answer)
      // What fails for so long is said by a heartbeat.
      void persist(
        timeoutMs,
        () => say(name),
        () => hasEnded || hubs.get(name) !== answer,
      )
      return () => {
        if (hubs.get(name) !== answer) return
        hubs.delete(name)
        // It is forgotten by itself; until then a question is answered with a failure.
        link.send(['DEL', keys.hub(name)], timeoutMs).catch(() => undefined)
      }
    },
    ask(name, question, signal) {
      return new Promise((resolve, reject) => {
        signal.throwIfAborted()
        if (hasEnded) throw new Error(`node ${show(name)} cannot be asked: the broker is closed`)
        count += 1
        const number = String(count)
        const forget = () => {
          asked.delete(number)
          signal.removeEventListener('abort', onAbort)
        }
        const onAbort = () => {
          forget()
          reject(signal.reason)
        }
        const fail = (error: unknown) => {
          forget()
          reject(error)
        }
        signal.addEventListener('abort', onAbort)
        asked.set(number, {
          resolve(text) {
            forget()
            resolve(text)
          },
          reject: fail,
        })
        post([keys.hub(name)], '', [`ask ${node} ${number}`, name, 'q', question]).then((posted) => {
          if (posted === 0)
            fail(new Error(`nobody answers as node ${show(name)}; it has left, or was never here`))
          else if (posted !== 1) fail(new Error(`node ${show(name)} has too much to answer`))
        }, fail)
      })
    },
    hear([kindField, second, , fourth]) {
      const [kind, from = '', number = ''] = String(kindField).split(' ')
      const text = String(fourth)
      if (kind === 'ask') {
        // An answer that cannot be given is one that never comes: who asked has a signal.
        answer(from, number, String(second), text).catch(() => undefined)
        return
      }
      const waiting = asked.get(String(second))
      if (kind === 'answer') waiting?.resolve(text)
      else waiting?.reject(new Error('the node that was asked failed to answer'))
    },
    async tell() {
      await Promise.all([...hubs.keys()].map(say))
    },
    end() {
      hasEnded = true
      for (const { reject } of [...asked.values()]) reject(new Error('the broker is closed'))
    },
  }
}
