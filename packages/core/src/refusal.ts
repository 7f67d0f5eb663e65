import { closeOfRefusal } from './close.ts'
import type { Refusal, ServerConnection } from './transport.ts'

/**
 * Refuses a connection that was answered already: tells it how long to stay away, and ends it with the code that stands for the
 * status. What `Retry-After` and the status say where there is still an answer to give.
 */
export function turnAway(connection: ServerConnection, refusal: Refusal): void {
  const { retryAfterMs: retryMs } = refusal
  if (retryMs !== undefined) connection.write(connection.encoder.encode({ type: 'retry', retryMs }))
  connection.close(closeOfRefusal(refusal))
}
