/** Monotonic milliseconds since the machine started: the same in every process of it. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
