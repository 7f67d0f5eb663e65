// What nodes tell and ask one another, as Redis runs it.

/**
 * Says how many follow which channel here.
 *
 * KEYS: nodes, this node's. ARGV: the node, how long it counts without a word, 1 when this is all of it from the beginning, 1 when
 * there must be something already; then each channel and its count. @returns 0 when all has to be told anew.
 */
export const tellLua: string = `
local nodes, presence, node, ttl = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1e3 + math.floor(tonumber(time[2]) / 1000)
if ARGV[3] == '1' then
  redis.call('UNLINK', presence)
elseif not redis.call('ZSCORE', nodes, node) or (ARGV[4] == '1' and redis.call('EXISTS', presence) == 0) then
  return 0
end
redis.call('ZADD', nodes, now, node)
redis.call('ZREMRANGEBYSCORE', nodes, '-inf', now - ttl)
redis.call('PEXPIRE', nodes, ttl)
for at = 5, #ARGV, 2 do
  if ARGV[at + 1] == '0' then redis.call('HDEL', presence, ARGV[at]) else redis.call('HSET', presence, ARGV[at], ARGV[at + 1]) end
end
redis.call('PEXPIRE', presence, ttl)
return 1
`

/** How many follow a channel on other nodes. KEYS: nodes. ARGV: this node, how long one counts, where theirs begin, the channel. */
export const countLua: string = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1e3 + math.floor(tonumber(time[2]) / 1000)
local count = 0
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now - tonumber(ARGV[2]), '+inf')) do
  if node ~= ARGV[1] then count = count + tonumber(redis.call('HGET', ARGV[3] .. node, ARGV[4]) or '0') end
end
return count
`

/** Questions to one node that may wait to be read. */
const maxQuestions = 1_000

/**
 * Puts something in a node's inbox. KEYS: where it says which node has the hub, or none, when the node is known. ARGV: where inboxes
 * begin, the node, then the entry. @returns 1; 0 when nobody is there; 2 when too much waits there.
 */
export const postLua: string = `
local node = ARGV[2]
if KEYS[1] then node = redis.call('GET', KEYS[1]) end
if not node then return 0 end
local inbox = ARGV[1] .. node
if redis.call('XLEN', inbox) >= ${maxQuestions} then return 2 end
redis.call('XADD', inbox, '*', ARGV[3], ARGV[4], ARGV[5], ARGV[6])
redis.call('PEXPIRE', inbox, 60000)
return 1
`
