/**
 * @typedef {object} Answer
 * @property {number} id
 * @property {unknown} [value]
 * @property {string} [error]
 */

/**
 * Answers the questions of the process that started this one, by name.
 * @param {Record<string, (options: any) => unknown>} handlers
 */
export function answer(handlers) {
  process.on(
    'message',
    async (/** @type {{ id: number, name: string, options: unknown }} */ { id, name, options }) => {
      try {
        const value = await handlers[name]?.(options)
        process.send?.({ id, value })
      } catch (error) {
        process.send?.({ id, error: error instanceof Error ? error.message : String(error) })
      }
    },
  )
  // Whoever started this process is gone.
  process.on('disconnect', () => process.exit())
}

/**
 * Puts questions to a process.
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} title - for errors
 * @returns {(name: string, options?: unknown) => Promise<any>}
 */
export function asker(child, title) {
  /** @type {Map<number, { resolve(value: unknown): void, reject(error: Error): void }>} */
  const open = new Map()
  let last = 0
  /** @type {Error | undefined} */
  let gone
  child.on('message', (message) => {
    const { id, value, error } = /** @type {Answer} */ (message)
    const waiting = open.get(id)
    open.delete(id)
    if (error === undefined) waiting?.resolve(value)
    else waiting?.reject(new Error(`${title}: ${error}`))
  })
  const end = (/** @type {string} */ why) => {
    gone ??= new Error(`${title} ${why}`)
    for (const { reject } of open.values()) reject(gone)
    open.clear()
  }
  child.on('exit', (code, signal) => end(`ended early (${signal ?? `exit ${code}`})`))
  child.on('error', (error) => end(`did not start: ${error.message}`))
  return (name, options) =>
    new Promise((resolve, reject) => {
      if (gone !== undefined) {
        reject(gone)
        return
      }
      last += 1
      open.set(last, { resolve, reject })
      child.send({ id: last, name, options })
    })
}
