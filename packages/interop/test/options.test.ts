import { createServer } from 'node:http'
import { connect } from '@eitherway/client'
import { auto } from '@eitherway/client/auto'
import { shared } from '@eitherway/client/tabs'
import { ssePost } from '@eitherway/post/client'
import { createLinks } from '@eitherway/post/links'
import { createListener as createPostListener } from '@eitherway/post/server'
import { createPublisher, type RedisClient, redisBroker } from '@eitherway/redis'
import { createHub, createListeners, memoryBroker, serve } from '@eitherway/server'
import { createBunHandler } from '@eitherway/server/bun'
import { createHandler } from '@eitherway/server/web'
import { sse } from '@eitherway/sse/client'
import { createListener as createSseListener } from '@eitherway/sse/server'
import { createResponder } from '@eitherway/sse/web'
import { ws } from '@eitherway/ws/client'
import { createListener as createWsListener } from '@eitherway/ws/server'
import { expect, test } from 'vitest'

const url = 'http://127.0.0.1:9/live'
const hub = createHub()
const server = createServer()
/** Never asked: what is set is looked at first. */
const client = {} as RedisClient

/** As JavaScript has it, where no compiler looks at names. */
const js = (options: object): never => options as never

test.each([
  ['connect', 'channel', () => connect(url, js({ transport: 'sse', channel: 'a' }))],
  ['sse', 'header', () => sse(js({ header: {} }))],
  ['ws', 'protocols', () => ws(js({ protocols: ['mine'] }))],
  ['ssePost', 'method', () => ssePost(js({ method: 'PUT' }))],
  ['auto', 'timeoutMs', () => auto(js({ transports: [ws(), ssePost()], timeoutMs: 5 }))],
  ['shared', 'name', () => shared('sse', js({ user: '', name: 'a' }))],
  ['createHub', 'heartBeatMs', () => createHub(js({ heartBeatMs: 5 }))],
  ['history', 'maxMessages', () => createHub({ history: js({ maxMessages: 5 }) })],
  ['history', 'maxMessages', () => memoryBroker(js({ maxMessages: 5 }))],
  ['serve', 'cors', () => serve(hub, server, js({ path: '/live', cors: true }))],
  ['compression', 'level', () => serve(hub, server, { path: '/live', compression: js({ level: 9 }) })],
  ['createListeners', 'path', () => createListeners(hub, js({ path: '/live' }))],
  ['createHandler', 'compression', () => createHandler(hub, js({ compression: true }))],
  ['createBunHandler', 'upgrade', () => createBunHandler(hub, js({ upgrade: () => undefined }))],
  ['redisBroker', 'url', () => redisBroker(js({ client, url: 'redis://127.0.0.1' }))],
  ['history', 'maxMessages', () => redisBroker(js({ client, history: { maxMessages: 5 } }))],
  ['createPublisher', 'retryMs', () => createPublisher(js({ client, retryMs: 5 }))],
])('`%s` has no option `%s`, and says so', (of, name, make) => {
  expect(make).toThrow(TypeError)
  expect(make).toThrow(`\`${of}\` has no option "${name}"; it has \``)
})

test.each([
  ['closeMs', 'sse/server', (closeMs: number) => createSseListener(hub.admit, { closeMs })],
  ['closeMs', 'sse/web', (closeMs: number) => createResponder(hub.admit, { closeMs })],
  ['closeMs', 'ws/server', (closeMs: number) => createWsListener(hub.admit, { closeMs })],
  ['closeMs', 'post/server', (closeMs: number) => createPostListener(hub.admit, { closeMs })],
  ['bodyMs', 'post/server', (bodyMs: number) => createPostListener(hub.admit, { bodyMs })],
  ['bodyMs', 'post/links', (bodyMs: number) => createLinks({ bodyMs })],
])('`%s` of %s is none that a timer would take for a millisecond', (name, _, make) => {
  for (const ms of [Number.NaN, -1, Number.POSITIVE_INFINITY, 2 ** 31]) {
    expect(() => make(ms)).toThrow(
      new RegExp(`^\`${name}\` must be a number from [01] to 600000, got ${ms}$`),
    )
  }
  expect(() => make(600_000)).not.toThrow()
})
