import type { Access } from '../stage/ask.ts'
import { element } from './element.ts'
import { type FromRunner, type Run, runnerUrl, type ToRunner } from './runner-messages.ts'

/** How long the runner may take to load, and to end after it was told to. */
const loadMs = 20_000
const graceMs = 3000

/**
 * Runs scenarios in this browser, in a frame of one origin with the server under measurement.
 *
 * @returns a promise that fulfils when the run is done, or was stopped by `signal`.
 * @throws Error (by rejection) with what went wrong.
 */
export async function runInFrame(
  access: Access,
  run: Run,
  hear: (message: FromRunner) => void,
  signal: AbortSignal,
): Promise<void> {
  const origin = access.origins.relay
  const frame = element('iframe', { class: 'runner', title: 'The scenarios run here', tabindex: '-1' })
  frame.setAttribute('aria-hidden', 'true')
  const tell = (message: ToRunner) => frame.contentWindow?.postMessage(message, origin)
  let timer: ReturnType<typeof setTimeout> | undefined
  let onMessage: (event: MessageEvent<FromRunner>) => void = () => undefined
  let onAbort: () => void = () => undefined
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error('the frame that measures did not load')), loadMs)
      onMessage = (event) => {
        if (event.origin !== origin || event.source !== frame.contentWindow) return
        const message = event.data
        hear(message)
        if (message.type === 'ready') {
          clearTimeout(timer)
          tell({ type: 'run', ...run })
        } else if (message.type === 'done') resolve()
        else if (message.type === 'failed' && !signal.aborted) reject(new Error(message.message))
        else if (message.type === 'failed') resolve()
      }
      onAbort = () => {
        tell({ type: 'stop' })
        clearTimeout(timer)
        timer = setTimeout(resolve, graceMs)
      }
      window.addEventListener('message', onMessage)
      signal.addEventListener('abort', onAbort)
      frame.src = runnerUrl(origin, { access, parent: location.origin })
      document.body.append(frame)
    })
  } finally {
    clearTimeout(timer)
    window.removeEventListener('message', onMessage)
    signal.removeEventListener('abort', onAbort)
    frame.remove()
  }
}
