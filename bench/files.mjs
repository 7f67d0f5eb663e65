/** Open files that a process has beside its connections, at most. */
const others = 100

/**
 * How many open files a process may have. Node raises the soft limit to the hard one when it starts, so this is the hard
 * one.
 * @returns {number | undefined} `undefined` where there is no such limit, or none that Node can tell
 */
export function openFiles() {
  const { userLimits } = /** @type {{ userLimits?: { open_files: { soft: number | 'unlimited' } } }} */ (
    process.report.getReport()
  )
  const soft = userLimits?.open_files.soft
  return typeof soft === 'number' ? soft : undefined
}

/**
 * How many connections of those that are wanted fit into one process: each is an open file.
 * @param {number} wanted
 * @param {number | undefined} limit
 */
export const fitting = (wanted, limit) =>
  limit === undefined ? wanted : Math.max(1, Math.min(wanted, limit - others))
