import { find } from './find.ts'
import { probeClock } from './probe.ts'

/** The button that restarts the server under both panels. */
export function createRestart(root: HTMLElement): void {
  const form = find(root, 'form', HTMLFormElement)
  const button = find(form, 'button', HTMLButtonElement)
  const status = find(root, '[role=status]', HTMLElement)
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const history = String(new FormData(form).get('history'))
    button.disabled = true
    try {
      const response = await fetch(`/restart?history=${history}`, { method: 'POST' })
      const { downMs } = (await response.json()) as { downMs: number }
      const outcome =
        history === 'kept'
          ? 'its history is kept, so both catch up on all of it'
          : 'its history is gone, so both are told of a gap'
      status.textContent = `The server said goodbye (1012) and is away for ${(downMs / 1000).toFixed(1)} s; ${outcome}.`
      await new Promise((resolve) => setTimeout(resolve, downMs))
      const isBack = await hasAnswered()
      status.textContent = isBack
        ? `The server said goodbye (1012) and is back; ${outcome}.`
        : 'The server said goodbye (1012) and has not come back yet.'
    } catch {
      status.textContent = 'The server did not answer, so it was not restarted.'
    } finally {
      button.disabled = false
    }
  })
}

const retryMs = 250
const tries = 40

/** Waits for the server to answer. @returns Whether it did. */
async function hasAnswered(): Promise<boolean> {
  for (let left = tries; left > 0; left -= 1) {
    try {
      await probeClock()
      return true
    } catch {
      await new Promise((resolve) => setTimeout(resolve, retryMs))
    }
  }
  return false
}
