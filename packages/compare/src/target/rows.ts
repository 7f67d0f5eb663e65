import type { Contender } from '../contender.ts'
import {
  type Data,
  eventSourceLink,
  type Link,
  type OpenLink,
  type Speech,
  speechOf,
  sseLink,
  webSocketLink,
  wsLink,
} from './link.ts'

/** A way to a server of the user's. */
export interface TargetRow extends Contender {
  readonly link: OpenLink
  /** Opens a link that is in no figure: what is paid once (names, sessions, code) is paid, and how to speak is known. */
  warmUp(signal: AbortSignal): Promise<Link | undefined>
}

/** Where the user's servers are. */
export interface Target {
  readonly sse?: URL
  readonly ws?: URL
}

/** Our client where there is a URL for it, then the control rows. */
export function rowsOf({ sse, ws }: Target): readonly TargetRow[] {
  const speech: { value: Speech | undefined } = { value: undefined }
  return [
    ...(sse === undefined ? [] : [rowOf('sse', 'SSE', 'sse', false, sseLink(sse))]),
    ...(ws === undefined ? [] : [wsRow(ws, speech)]),
    ...(sse === undefined ? [] : [rowOf('sse-bare', 'EventSource', 'sse', true, eventSourceLink(sse))]),
    ...(ws === undefined ? [] : [rowOf('ws-bare', 'bare WebSocket', 'ws', true, webSocketLink(ws))]),
  ]
}

function wsRow(url: URL, speech: { value: Speech | undefined }): TargetRow {
  const link: OpenLink = (onData, signal, withinMs) =>
    wsLink(url, speech.value ?? 'plain')(onData, signal, withinMs)
  return {
    ...rowOf('ws', 'WebSocket', 'ws', false, link),
    async warmUp(signal) {
      const found = await speechOf(url, signal)
      speech.value = found.speech
      return found.link
    },
  }
}

function rowOf(
  name: string,
  title: string,
  transport: 'sse' | 'ws',
  control: boolean,
  link: OpenLink,
): TargetRow {
  return {
    name,
    title,
    transport,
    control,
    house: control ? 'bare' : 'ours',
    link,
    warmUp: (signal) => link(ignore, signal).catch(() => undefined),
    async open(_where, hear) {
      const line = await link(ignore, new AbortController().signal)
      hear.state?.('open')
      return {
        say: () => Promise.reject(new Error('nothing is sent to a server of yours')),
        close: () => line.close(),
      }
    },
  }
}

const ignore = (_data: Data): void => undefined
