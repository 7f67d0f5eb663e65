import { planted } from './planted.mjs'

/** One client is sent a message twice. */
export default planted((responses, block) => {
  for (const response of responses) response.write(block)
  responses[0]?.write(block)
})
