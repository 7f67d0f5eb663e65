import { once } from 'node:events'
import { connect } from 'node:net'
import { type Attack, attacks, type Entrance, type HostileLink, requestOf } from '@eitherway/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundle } from './bundle.ts'
import { type Child, run } from './harness.ts'
import { entrances, linkOf, posting } from './hostile.ts'
import { bunCommand, denoCommand } from './runtimes.ts'

const path = '/live'
const page = 'https://app.example'
const preflight: Entrance = {
  name: 'a preflight',
  method: 'OPTIONS',
  headers: [`Origin: ${page}`, 'Access-Control-Request-Method: POST'],
  status: 204,
  speaks: 'nothing',
}
const nobody: Entrance = {
  ...posting,
  name: 'a POST for no link',
  headers: [...posting.headers, 'Eitherway-Link: nobody', 'Eitherway-Seq: 1', 'Content-Length: 0'],
  status: 404,
}
const { stream, plain, ours } = entrances
const everywhere = [stream, plain, ours, preflight, nobody]
const upgrades = [plain, ours]

const drop = (name: string) => (head: string) => head.replace(new RegExp(`\r\n${name}:[^\r\n]*`, 'gi'), '')
const add =
  (...lines: string[]) =>
  (head: string) =>
    head.replace(' HTTP/1.1\r\n', (start) => [start.slice(0, -2), ...lines, ''].join('\r\n'))
const put = (line: string) => (head: string) => add(line)(drop(line.split(':')[0] as string)(head))
const ask = (target: string) => (head: string) => head.replace(/ \S+ HTTP/, () => ` ${target} HTTP`)
const from =
  (...origins: string[]) =>
  (head: string) =>
    add(...origins.map((each) => `Origin: ${each}`))(drop('Origin')(head))

/** What is refused behind any runtime's server, whatever it makes of it: a status, or the close that says the same. */
const refused: readonly (readonly [string, (head: string) => string, readonly Entrance[]])[] = [
  ['no Host', drop('Host'), everywhere],
  ['an empty Host', put('Host:'), everywhere],
  ['a foreign Host', put('Host: evil.example'), everywhere],
  ['a foreign Host behind ours', add('Host: evil.example'), everywhere],
  ['two hosts in one', put('Host: test, evil.example'), everywhere],
  ['a Host with a password', put('Host: user:password@test'), everywhere],
  ['a page of another origin', from('https://evil.example'), everywhere],
  ['a page of nowhere', from('null'), everywhere],
  ['two Origins, ours first', from(page, 'https://evil.example'), everywhere],
  ['two Origins, ours last', from('https://evil.example', page), everywhere],
  [
    'a page of another site, without a name',
    add('Sec-Fetch-Site: cross-site'),
    [stream, plain, ours, nobody],
  ],
  [
    'two words of where it comes from',
    (head) =>
      add('Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site')(from('https://evil.example')(head)),
    everywhere,
  ],
  ['the version 8 of WebSocket', put('Sec-WebSocket-Version: 8'), upgrades],
  ['no key', drop('Sec-WebSocket-Key'), upgrades],
  ['a key of three bytes', put('Sec-WebSocket-Key: AAAA'), upgrades],
  ['an upgrade to something else', put('Upgrade: h2c'), upgrades],
  ['a POST that upgrades', (head) => head.replace('GET', 'POST'), upgrades],
  [
    'a body of an announced length',
    (head) => `${add('Content-Length: 6')(head)}\x81\x80\0\0\0\0`,
    [stream, plain, ours, preflight],
  ],
  [
    'a body in chunks',
    (head) => `${add('Transfer-Encoding: chunked')(head)}6\r\n\x81\x80\0\0\0\0\r\n0\r\n\r\n`,
    [stream, plain, ours, preflight],
  ],
  [
    'two lengths',
    (head) => `${add('Content-Length: 5', 'Content-Length: 6')(drop('Content-Length')(head))}hello`,
    everywhere,
  ],
  [
    'a length and chunks',
    (head) => `${add('Content-Length: 5', 'Transfer-Encoding: chunked')(drop('Content-Length')(head))}hello`,
    everywhere,
  ],
  ["somebody else's channel", ask(`${path}?channel=theirs`), [stream, plain, ours]],
  ["somebody else's channel by a detour", ask(`/x/..${path}?channel=theirs`), [stream, plain, ours]],
  ['a line end in a channel', ask(`${path}?channel=a%0D%0AX-Injected:%201`), [stream, plain, ours]],
  ['a URL over 8 KiB', ask(`${path}?x=${'x'.repeat(8185)}`), [stream, plain, ours, nobody]],
  ['over 1000 parameters', ask(`${path}?${'&a'.repeat(1000)}`), [stream, plain, ours, nobody]],
]

/** Whether a close frame came with the code of a refusal. */
const isTurnedAway = (text: string): boolean =>
  Array.from(text.matchAll(/\x88.(..)/gs), ([, code = '']) =>
    Buffer.from(code, 'latin1').readUInt16BE(),
  ).some((code) => code >= 4500 && code < 4600)

describe.each([
  ['Bun', bunCommand()],
  ['Deno', denoCommand()],
])("the doors of %s's own server", { timeout: 5_000 }, (name, { file, args }) => {
  let program: Child
  let port: number
  const bystanders: HostileLink[] = []
  let count = 0

  async function dial(bytes = ''): Promise<HostileLink> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const link = linkOf(socket)
    await link.write(bytes)
    return link
  }

  /** What the hub's judge says. */
  async function judge(query: string): Promise<{ peers: number; errors: number; bytesWritten: number }> {
    const answer = await fetch(`http://127.0.0.1:${port}/${query}`)
    return (await answer.json()) as { peers: number; errors: number; bytesWritten: number }
  }

  /** Whether it is as it was: everybody hears what is published, and nobody is there who should not be. */
  async function isWell(): Promise<void> {
    count += 1
    const text = `still-here-${count}.`
    await judge(`publish?text=${text}`)
    for (const { hears } of bystanders) await hears(text)
    for (const { received } of bystanders) expect(received()).not.toMatch(/a secret|injected/)
    await expect
      .poll(() => judge('stats'), { interval: 5 })
      .toMatchObject({ peers: bystanders.length, errors: 0 })
    expect((await judge('stats')).bytesWritten).toBeGreaterThanOrEqual(0)
  }

  beforeAll(async () => {
    const input = await bundle('doors', {}, 'module')
    program = run(file, args, { input, env: { DENO_NO_UPDATE_CHECK: '1' } })
    ;[port] = (await program.take(1)) as [number]
    for (const request of [
      requestOf(stream, `${path}?channel=mine`),
      requestOf(plain, `${path}?channel=mine`),
      requestOf(ours, `${path}?channel=mine`),
      requestOf(stream, `${path}?channel=mine&up=post`),
    ]) {
      const link = await dial(request)
      await link.hears('\r\n\r\n')
      bystanders.push(link)
    }
  }, 20_000)
  afterAll(() => program?.[Symbol.asyncDispose]())

  test.each(everywhere)('$name is answered as it should be', async (entrance) => {
    const link = await dial(requestOf(entrance, path))
    await link.hears('\r\n\r\n')
    expect(link.received()).toMatch(new RegExp(`^HTTP/1\\.1 ${entrance.status} `))
    expect(isTurnedAway(link.received())).toBe(false)
    link.reset()
    await isWell()
  })

  test.each(
    refused.flatMap(([what, change, at]) =>
      at.map((entrance) => ({ what, name: entrance.name, change, entrance })),
    ),
  )('$what at $name is refused', async ({ change, entrance }) => {
    const link = await dial(change(requestOf(entrance, `${path}?channel=mine`)))
    await link.hears('\r\n\r\n')
    if (link.received().startsWith('HTTP/1.1 101'))
      await expect.poll(() => isTurnedAway(link.received())).toBe(true)
    else expect(link.received()).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(link.received()).not.toMatch(/a secret|\nX-Injected/)
    link.reset()
    await isWell()
  })

  // Bun is told to keep it for as long as it is silent, and cannot be told back.
  test.runIf(name === 'Bun')('a stream that the server ends takes its connection with it', async () => {
    const own = await dial(requestOf(stream, `${path}?channel=mine&up=post`))
    await own.hears('\r\n\r\n')
    const key = /\r\neitherway-link: (\S+)\r\n/i.exec(own.received())?.[1]
    const head = [`Eitherway-Link: ${key}`, 'Eitherway-Seq: 1', 'Content-Length: 9']
    const link = await dial(`${requestOf(posting, path, head)}data: {\n\n`)
    await own.closed
    link.reset()
    await isWell()
  })

  test.each([stream, nobody])('$name from an allowed page may be read by it', async (entrance) => {
    const link = await dial(from(page)(requestOf(entrance, path)))
    await link.hears('\r\n\r\n')
    const [head] = link.received().split('\r\n\r\n')
    expect(head).toMatch(/\r\naccess-control-allow-origin: https:\/\/app\.example(\r\n|$)/i)
    expect(head).toMatch(/\r\nvary: origin/i)
    link.reset()
    await isWell()
  })

  describe.each([stream, plain, ours, posting])('at $name', (entrance) => {
    const borne = attacks.filter(({ needs }) =>
      needs === undefined ? entrance.speaks !== 'body' : needs.includes(entrance.speaks),
    )
    test.each(borne)('$name leaves the others alone', async (attack) => {
      await strike(attack, entrance)
      await isWell()
    })
  })

  /** What comes of it is the runtime's affair, mostly: it has a parser of its own. */
  async function strike(attack: Attack, entrance: Entrance): Promise<void> {
    const keyOf = ({ received }: HostileLink) => /\r\neitherway-link: (\S+)\r\n/i.exec(received())?.[1] ?? ''
    for (let time = 0; time < (attack.times ?? 1); time += 1) {
      const own = await dial()
      if (entrance.speaks === 'body') {
        await own.write(requestOf(stream, `${path}?channel=mine&up=post`))
        await own.hears('\r\n\r\n')
      }
      const link = await dial()
      const keys = { own: keyOf(own), theirs: bystanders.map(keyOf).join('') }
      for (const piece of attack.bytes({ entrance, path, position: 'x-1', keys })) await link.write(piece)
      if (attack.comes !== 'anything')
        await Promise.race([link.closed, link.hears('\r\n\r\n').catch(() => undefined), isHeard()])
      for (const each of [link, own]) {
        expect(each.received()).not.toMatch(/a secret|\nX-Injected/)
        each.reset()
      }
    }
  }

  /** The server has come round to somebody who asked later. */
  async function isHeard(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) await judge('stats')
  }
})
