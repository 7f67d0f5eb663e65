import { print } from './print.ts'

/** An `EventSource` that tells all that `onmessage` hears, and the events that are named. */
export function start({ url, events = [] }: { url: string; events?: readonly string[] }): void {
  const source = new EventSource(url)
  const tell = ({ type, lastEventId, data }: MessageEvent) => print([type, lastEventId, data])
  source.onmessage = tell
  for (const event of events) source.addEventListener(event, tell)
}
