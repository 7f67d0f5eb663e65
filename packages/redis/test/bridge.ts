import type { Socket } from 'node:net'

/**
 * Leads all that comes on either to the other, and ends both with one of them.
 *
 * @param all - holds them for as long as they live.
 */
export function bridge(here: Socket, there: Socket, all: Set<Socket>): void {
  for (const [one, other] of [
    [here, there],
    [there, here],
  ] as const) {
    all.add(one)
    one.on('error', () => other.destroy())
    one.on('close', () => {
      all.delete(one)
      other.destroy()
    })
    one.pipe(other)
  }
}
