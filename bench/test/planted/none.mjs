import { planted } from './planted.mjs'

/** Each client is sent each message. */
export default planted((responses, block) => {
  for (const response of responses) response.write(block)
})
