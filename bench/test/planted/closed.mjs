import { planted } from './planted.mjs'

/** One client is sent a message, and then the end: of its response, not of its socket, which HTTP keeps. */
export default planted((responses, block) => {
  for (const response of responses) response.write(block)
  responses[0]?.end()
})
