import type { Broker, Relay } from '../broker.ts'
import { assert, assertEqual, errorOf, within } from './suite.ts'

/** Registers a test with two nodes' ends of one broker. */
export type RelayCheck = (name: string, run: (here: Broker, there: Broker) => Promise<void>) => void

/** Holds a relay to what it promises: each question to the node that is named, its answer to who asked, and a failure in time. */
export function relayChecks(register: RelayCheck): void {
  function check(name: string, run: (here: Relay, there: Relay) => Promise<void>): void {
    register(name, async ({ relay: here }, { relay: there }) => {
      assert(here !== undefined && there !== undefined, 'the broker has a relay')
      await run(here, there)
    })
  }

  check('a question reaches the node that it names, and the answer who asked', async (here, there) => {
    const undo = ['a', 'A', 'aa', 'a-a', 'a_a', '0'.repeat(64)].map((node) => {
      const leave = there.join(node, async (question) => `${node} was asked ${question}`)
      return { node, leave }
    })
    for (const { node } of undo) {
      await answered(here, node)
      assertEqual(await ask(here, node, 'this'), `${node} was asked this`, `the answer of ${node}`)
    }
    for (const { leave } of undo) leave()
  })

  check('a node may ask itself', async (here) => {
    here.join('node', async (question) => question.toUpperCase())
    await answered(here, 'node')
    assertEqual(await ask(here, 'node', 'who'), 'WHO', 'the answer')
  })

  check('any text crosses unharmed, in both directions', async (here, there) => {
    there.join('node', async (question) => question)
    await answered(here, 'node')
    for (const text of ['', '\0\r\n', 'ü€😀', '{"a":"\\n"}', ' x ', 'x€'.repeat(1024 * 1024)]) {
      const answer = await ask(here, 'node', text)
      assert(answer === text, `a text of ${text.length} units came back as it was, got ${answer.length}`)
    }
  })

  check(
    'questions of one time are each given their own answer, and none waits for another',
    async (here, there) => {
      const held = createGate()
      there.join('node', async (question) => {
        if (question === 'slow') await held.opened
        return `re: ${question}`
      })
      await answered(here, 'node')
      const slow = ask(here, 'node', 'slow')
      const questions = Array.from({ length: 50 }, (_, at) => `number ${at}`)
      assertEqual(
        await Promise.all(questions.map((question) => ask(here, 'node', question))),
        questions.map((question) => `re: ${question}`),
        'the answers',
      )
      held.open()
      assertEqual(await slow, 're: slow', 'the slow one')
    },
  )

  check('a node that nobody is fails without waiting for the signal', async (here) => {
    const error = await errorOf(() => ask(here, 'nobody', 'secret'), 'asking nobody')
    assert(!error.message.includes('secret'), `no word of the question in ${error.message}`)
  })

  check('a node that has left fails as well, and may come again', async (here, there) => {
    const leave = there.join('node', async () => 'first')
    await answered(here, 'node')
    leave()
    leave()
    await eventually(
      async () => (await ask(here, 'node', 'x').catch(() => 'none')) === 'none',
      'it to have left',
    )
    there.join('node', async () => 'second')
    await answered(here, 'node')
    assertEqual(await ask(here, 'node', 'x'), 'second', 'the answer')
  })

  check(
    'an answer that fails is a failure of that question alone, and says nothing of why',
    async (here, there) => {
      there.join('node', async (question) => {
        if (question === 'bad') throw new Error('hunter2')
        return question
      })
      await answered(here, 'node')
      const error = await errorOf(() => ask(here, 'node', 'bad'), 'a question whose answer fails')
      assert(
        !`${error.message}${String(error.cause)}`.includes('hunter2'),
        `nothing of the reason in ${error.message}`,
      )
      assertEqual(await ask(here, 'node', 'good'), 'good', 'the next answer')
    },
  )

  check(
    'an aborted signal ends the wait with its reason; a late answer changes nothing',
    async (here, there) => {
      const held = createGate()
      const heard = createGate()
      there.join('node', async (question) => {
        if (question !== 'wait') return question
        heard.open()
        await held.opened
        return 'late'
      })
      await answered(here, 'node')
      const reason = new Error('no longer')
      const before = await errorOf(() => here.ask('node', 'x', AbortSignal.abort(reason)), 'asking too late')
      assertEqual(before, reason, 'the failure of one that was aborted before')
      const abort = new AbortController()
      const asking = errorOf(() => here.ask('node', 'wait', abort.signal), 'asking')
      await within(heard.opened, 'the question to be heard')
      abort.abort(reason)
      assertEqual(
        await within(asking, 'the wait to end'),
        reason,
        'the failure of one that was aborted while waiting',
      )
      held.open()
      assertEqual(await ask(here, 'node', 'next'), 'next', 'the next answer')
    },
  )
}

const ask = (relay: Relay, node: string, question: string): Promise<string> =>
  within(relay.ask(node, question, new AbortController().signal), `the answer of ${node}`)

/** Over a network a node has joined some time after it said so. */
async function answered(relay: Relay, node: string): Promise<void> {
  await eventually(
    () =>
      ask(relay, node, 'there?').then(
        () => true,
        () => false,
      ),
    `${node} to have joined`,
  )
}

async function eventually(holds: () => Promise<boolean>, what: string): Promise<void> {
  await within(
    (async () => {
      while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 1))
    })(),
    what,
  )
}

interface Gate {
  readonly opened: Promise<void>
  open(): void
}

function createGate(): Gate {
  let resolve: (() => void) | undefined
  const opened = new Promise<void>((settle) => {
    resolve = settle
  })
  return { opened, open: () => resolve?.() }
}
