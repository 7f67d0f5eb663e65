import { planted } from './planted.mjs'

/** One client is not sent a message. */
export default planted((responses, block) => {
  for (const response of responses.slice(1)) response.write(block)
})
