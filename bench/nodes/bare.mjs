import { Redis } from 'ioredis'

/** What is there without a library: XADD for each message, and one XREAD after the other. @type {import('../nodes.mjs').NodeContender} */
export default {
  title: '*XADD and XREAD*',
  kind: 'control',
  async open({ port, role, heard }) {
    const redis = new Redis({ port, host: '127.0.0.1' })
    if (role === 'hears') {
      const read = async () => {
        for (let from = '$'; ; ) {
          const found = await redis.xread('COUNT', 1000, 'BLOCK', 0, 'STREAMS', 'bench', from)
          for (const [id, fields] of found?.[0]?.[1] ?? []) {
            from = id
            heard(String(fields[1]))
          }
        }
      }
      void read()
    }
    // So that a listener has asked before anything is published.
    await redis.duplicate().ping()
    return { publish: (data) => redis.xadd('bench', 'MAXLEN', '~', 10_000, '*', 'data', data) }
  },
}
