import { closeCodeOfStatus } from '../close.ts'
import { type Attack, type Entrance, type Outcome, requestOf } from './attack.ts'
import { attacks } from './attacks.ts'
import { assert, assertEqual, type TestFunction, within } from './suite.ts'

/** One connection of bytes to the server under attack. Here, as in a head, a character is a byte. */
export interface HostileLink {
  /** Puts bytes on the wire as they are; behind the end nothing. Fulfils when the system took them, or would not. */
  write(bytes: string): Promise<void>
  /** Fulfils once one of these has come. @throws Error when the link ends before. */
  hears(...texts: readonly string[]): Promise<void>
  /** All that came so far. */
  received(): string
  /** Fulfils once it has ended, whoever ended it. */
  readonly closed: Promise<void>
  /** Leaves without a goodbye. */
  reset(): void
}

/** Somebody who does nothing wrong and follows `mine`. */
export interface Bystander {
  /** Fulfils once this has come. */
  hears(text: string): Promise<void>
  /** All that came so far. */
  received(): string
}

/**
 * A server with a hub, made anew for each attack. It has room for eight connections, lets everybody follow `mine` and nobody
 * `theirs`, in which `a secret` was published; decides in a later turn about those who come with the parameter `slowly`; and
 * sends back to each peer what it sends. Messages may hold 4096 bytes.
 */
export interface HostileSetup {
  /** The path that is served. */
  readonly path: string
  dial(): Promise<HostileLink>
  /** One for each transport, connected; that of `sse+post` has shown a token. */
  readonly bystanders: readonly Bystander[]
  /** The newest position: `<epoch>-<number>`. */
  readonly position: string
  publish(channel: string, data: string): Promise<void>
  /** How many peers the hub has. */
  peers(): number
  /** Fulfils in a later turn of the event loop. */
  turn(): Promise<void>
  /** What nobody has caught so far: exceptions, rejections, warnings, what was told to `onError`. */
  strays(): readonly unknown[]
  /** Ends all of it. Fulfils with the names of the handles that are left of it. */
  close(): Promise<readonly string[]>
}

/** What {@link hostileSuite} is told. */
export interface HostileSuite {
  readonly test: TestFunction
  readonly entrance: Entrance
  setup(): Promise<HostileSetup>
  /** Bytes in use, with all garbage collected. */
  usedBytes(): number
}

/** What the memory may grow by over all attacks, in bytes. */
const maxGrowthBytes = 64 * 1024 * 1024

/**
 * Does to one entrance of a server whatever the table of attacks holds. Whatever it is, the attacker gets what the table says,
 * and after it the server goes on as if nothing had been: the bystanders hear what is published next and nothing that is not
 * for them, nobody stays behind, nothing came up that nobody caught, and another client finds its place.
 */
export function hostileSuite({ test, entrance, setup, usedBytes }: HostileSuite): void {
  let before = 0
  for (const attack of attacks) {
    if (!bears(entrance, attack)) continue
    test(`${attack.name} (${attack.source})`, async () => {
      if (before === 0) before = usedBytes()
      const given = await setup()
      let left: readonly string[]
      try {
        await strike(attack, entrance, given)
        await aftermath(entrance, given)
      } finally {
        left = await within(given.close(), 'closing the server')
      }
      assertEqual(left, [], 'handles that are left open')
    })
  }

  test('after all of this, the memory is back', () => {
    const grown = usedBytes() - before
    assert(grown < maxGrowthBytes, `${grown} bytes more are in use than before the first attack`)
  })
}

function bears({ speaks }: Entrance, { needs }: Attack): boolean {
  return needs === undefined ? speaks !== 'body' : needs.includes(speaks)
}

async function strike(attack: Attack, entrance: Entrance, given: HostileSetup): Promise<void> {
  for (let time = 0; time < (attack.times ?? 1); time += 1) {
    const link = await given.dial()
    const { path, position } = given
    const own = entrance.speaks === 'body' ? await openOwn(given) : link
    const keys = { own: keyIn(own), theirs: given.bystanders.map(keyIn).join('') }
    for (const piece of attack.bytes({ entrance, path, position, keys }))
      await within(link.write(piece), 'writing')
    await within(
      outcome(link, own, entrance, attack.comes),
      `${JSON.stringify(attack.comes)} after ${attack.name}`,
    )
    const received = link.received()
    for (const text of ['a secret', '\nX-Injected', '\ndata: injected', 'only for']) {
      assert(
        !received.includes(text),
        `the attacker got ${JSON.stringify(text)}: ${JSON.stringify(received.slice(0, 500))}`,
      )
    }
    link.reset()
    own.reset()
  }
}

/** A link of the attacker's, to which something can be posted. */
async function openOwn({ dial, path }: HostileSetup): Promise<HostileLink> {
  const own = await dial()
  await own.write(requestOf(stream, `${path}?channel=mine&up=post`))
  await within(own.hears('"heartbeatMs"'), 'a link of the attacker')
  return own
}

const stream: Entrance = {
  name: 'a stream',
  method: 'GET',
  headers: [],
  status: 200,
  speaks: 'nothing',
}

/** The key that a link was given with the head of its answer, or `''`. */
const keyIn = ({ received }: Bystander): string =>
  /\r\neitherway-link: (\S+)\r\n/i.exec(received())?.[1] ?? ''

/** Fulfils once what must come of an attack has come. */
async function outcome(
  link: HostileLink,
  own: HostileLink,
  entrance: Entrance,
  comes: Outcome,
): Promise<void> {
  if (comes === 'anything') return
  if (typeof comes === 'object' && 'ends' in comes) return own.hears(`"code":${comes.ends},`)
  if (comes === 'the end') return link.closed
  await link.hears('\r\n\r\n')
  const status = Number(link.received().slice(9, 12))
  if (comes === 'service') {
    assertEqual(status, entrance.status, 'the status')
    return
  }
  if ('hears' in comes) {
    assertEqual(status, entrance.status, 'the status')
    return own.hears(comes.hears)
  }
  if ('status' in comes) {
    // A client of ours learns by a close what a browser would not show it of a status.
    if (status === 101 && entrance.speaks === 'messages') {
      return hearsClose(link, comes.status.map(closeCodeOfStatus))
    }
    assert(comes.status.includes(status), `answered ${status} and not ${comes.status.join(' or ')}`)
    return
  }
  assertEqual(status, 101, 'the status')
  await hearsClose(link, [comes.closeCode])
}

/** Not until the link has ended: the server waits for this side to close as well, which it never does. */
async function hearsClose(link: HostileLink, codes: readonly number[]): Promise<void> {
  const wanted = codes.map((code) => String.fromCharCode(code >> 8, code & 0xff))
  await link.hears(...wanted)
  const received = link.received()
  const isClose = wanted.some((code) => received.charCodeAt(received.lastIndexOf(code) - 2) === 0x88)
  assert(isClose, `no close with ${codes.join(' or ')} came, but ${JSON.stringify(received.slice(-200))}`)
}

async function aftermath(entrance: Entrance, given: HostileSetup): Promise<void> {
  const { bystanders } = given
  await within(
    until(given, () => given.peers() === bystanders.length),
    'peers of the attacker stay behind',
  )
  await given.publish('mine', 'still here')
  for (const [at, { hears, received }] of bystanders.entries()) {
    await within(hears('still here'), `bystander ${at} hears nothing more`)
    assert(received().includes(`only for ${at}`), `bystander ${at} has heard what is for it alone`)
    for (const other of bystanders.keys()) {
      assert(
        other === at || !received().includes(`only for ${other}`),
        `bystander ${at} heard what is for ${other}`,
      )
    }
    for (const text of ['a secret', 'injected'])
      assert(!received().includes(text), `bystander ${at} heard ${text}`)
  }
  await within(newcomer(entrance, given), 'another client finds no place')
  await within(
    until(given, () => given.peers() === bystanders.length),
    'another client stays behind',
  )
  assertEqual(given.strays(), [], 'what nobody caught')
}

/** Comes until there is a place, which an attack may hold for as long as it is decided about, and hears what the others hear. */
async function newcomer(entrance: Entrance, given: HostileSetup): Promise<void> {
  for (;;) {
    const link = await given.dial()
    await link.write(requestOf(entrance.speaks === 'body' ? stream : entrance, `${given.path}?channel=mine`))
    await link.hears('\r\n\r\n')
    while (!link.received().includes('for all') && given.peers() > given.bystanders.length) {
      await given.publish('mine', 'for all')
      await given.turn()
    }
    link.reset()
    if (link.received().includes('for all')) return
    await given.turn()
  }
}

async function until({ turn }: HostileSetup, isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn()
}
