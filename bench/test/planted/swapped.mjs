import { planted } from './planted.mjs'

/** One client is sent what another lacks, so that the sum is right. */
export default planted((responses, block) => {
  for (const response of responses.slice(1)) response.write(block)
  responses[1]?.write(block)
})
