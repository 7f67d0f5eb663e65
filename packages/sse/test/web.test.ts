import type { ServerConnection } from '@eitherway/core'
import { expect, test } from 'vitest'
import { createResponder } from '../src/web.ts'

test('what was written is counted also where the reader says that it is gone', async () => {
  const taken: ServerConnection[] = []
  const respond = createResponder(() => (connection) => taken.push(connection))
  const request = { method: 'GET', url: '/live', headers: { host: 'test' }, rawHeaders: [], socket: {} }
  const { body } = await respond(request, undefined)
  const [connection] = taken as [ServerConnection]
  connection.write('data: 1\n\n')
  await body?.cancel()
  expect((await connection.closed).code).toBe(1006)
  // What had left is not known any more; as much as was handed over at most, and no less than nothing.
  expect(connection.bytesWritten).toBe(':\n\ndata: 1\n\n'.length)
})
