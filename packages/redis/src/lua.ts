import { maxBatch } from './record.ts'

/*
 * What runs in Redis. Numbers are doubles there: an epoch, in microseconds, stays exact until the year 2255.
 *
 * Keys of channels that are evicted, or given up with all else, are not among KEYS: nobody can know them before. They have the hub's
 * hash tag, and so are where the script is.
 */

/**
 * What every step begins with: which epoch it is.
 *
 * An epoch is one life of one Redis process, `INFO`'s `run_id`, as an id handed out in one may be unknown to the next. A process that
 * has the data of the last one goes on with its number under a new epoch, and `lineage` says up to where the one before is known; all
 * positions up to there stay good. Whoever asks says what it knows of: if that is more than Redis does, Redis has lost it, and so all
 * that was kept is given up, together with the lineage: every position from before is a gap. The same when nobody is left who knows
 * of anything: what Redis has may then be all, or not.
 *
 * KEYS: meta, log, logs, fresh. ARGV: the epoch and the number of the newest message that the asker knows of; 1 when it has waited
 * for somebody who knows more.
 */
const enter = `
local meta, log, logs, fresh = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local call = redis.call
local function text(number) return string.format('%.0f', number) end
local function idOf(e, n) return text(e) .. '-' .. text(n) end
local function split(id)
  local e, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(e), tonumber(n)
end
local function isAfter(e, n, otherE, otherN) return e > otherE or (e == otherE and n > otherN) end

local time = call('TIME')
local micros = tonumber(time[1]) * 1e6 + tonumber(time[2])
local now = math.floor(micros / 1000)
local knownE, knownN = tonumber(ARGV[1]), tonumber(ARGV[2])

local state = call('HMGET', meta, 'epoch', 'number', 'run', 'lineage', 'bytes', 'forgotten', 'logBytes', 'mark')
local epoch, number, lineage, bytes = tonumber(state[1] or ''), tonumber(state[2] or ''), state[4] or '', tonumber(state[5] or '')
local forgottenE, forgottenN = split(state[6] or '0-0')

local function start(run, isLinked)
  local top = call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  local before = epoch and idOf(epoch, number) or ''
  epoch = math.max(micros, (epoch or 0) + 1, knownE + 1, (top and split(top[1]) or 0) + 1)
  if isLinked then
    lineage = lineage .. before .. ' '
    local _, lives = string.gsub(lineage, ' ', ' ')
    if lives > 20 then lineage = string.gsub(lineage, '^%S+ ', '') end
  else
    number, lineage, bytes = 0, '', 0
    forgottenE, forgottenN = epoch, 0
  end
  call('HSET', meta, 'epoch', text(epoch), 'number', text(number), 'run', run, 'lineage', lineage,
    'bytes', text(bytes), 'forgotten', idOf(forgottenE, forgottenN))
  if not isLinked then
    for _, key in ipairs(call('HKEYS', logs)) do call('UNLINK', key) end
    for _, key in ipairs(call('ZRANGE', fresh, 0, -1)) do call('UNLINK', key) end
    call('UNLINK', logs, fresh)
  end
  call('XADD', log, idOf(epoch, number), 'p', isLinked and before or '')
end

local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local isWhole = epoch ~= nil
if isWhole then
  local channels = call('HLEN', logs)
  isWhole = channels == call('ZCARD', fresh) and (bytes == 0 or channels > 0) and not isAfter(knownE, knownN, epoch, number)
  for e, n in string.gmatch(lineage, '(%d+)%-(%d+)') do
    if tonumber(e) == knownE and knownN > tonumber(n) then isWhole = false end
  end
end
if not isWhole then
  start(run, false)
elseif run ~= state[3] then
  local isWitness = knownE >= (tonumber(string.match(lineage, '^%d+') or '') or epoch)
  if not isWitness and ARGV[3] ~= '1' then return redis.error_reply('UNSURE whether Redis has all that was published') end
  start(run, isWitness)
end
`

/** What keeps history within its bounds. A channel's entry has the time, the number of its batch's first message, and its group. */
const eviction = `
-- A Redis that is full lets nothing be written, and much be read.
local isChanged = false
-- The tests' Lua has it there.
local spread = unpack or table.unpack

local function two(text, at)
  local a, b = string.byte(text, at, at + 1)
  return a * 256 + b
end
-- A group's index: how many messages it has; the place of the nth in its batch; the bytes of data of the first n.
local function indexOf(group)
  local at = string.byte(group) + 4
  return {
    count = two(group, at - 2),
    place = function(n) return two(group, at + 6 * n - 6) end,
    bytes = function(n)
      if n == 0 then return 0 end
      return two(group, at + 6 * n - 4) * 65536 + two(group, at + 6 * n - 2)
    end,
  }
end

local function read(key)
  local known = call('HGET', logs, key)
  if not known then return nil end
  local b, id, count, skipped, since = string.match(known, '^(%d+) (%S+) (%d+) (%d+) (%d+)$')
  if call('EXISTS', key) == 0 then
    -- Taken away by Redis: nobody can tell any more what was in it.
    bytes, forgottenE, forgottenN, isChanged = bytes - tonumber(b), epoch, number, true
    call('HDEL', logs, key)
    call('ZREM', fresh, key)
    return nil
  end
  local e, n = split(id)
  return {
    key = key, e = e, n = n, bytes = tonumber(b), count = tonumber(count),
    skipped = tonumber(skipped), -- of the oldest entry's messages, which are evicted while others of it are not
    since = tonumber(since), -- nothing that is kept is older
  }
end

local function shown(found)
  return table.concat({ text(found.bytes), idOf(found.e, found.n), text(found.count), text(found.skipped), text(found.since) }, ' ')
end

-- Where nothing was taken away before, a Redis that is full refuses it: then all is as it was, and is found again.
local function save(found) redis.pcall('HSET', logs, found.key, shown(found)) end

-- The oldest go, until so many messages and so many bytes are gone.
local function evict(found, messages, size)
  local count = 1
  while (messages > 0 or size > 0) and found.count > 0 do
    local list, last = call('XRANGE', found.key, '-', '+', 'COUNT', count), nil
    if #list == 0 then break end
    for _, entry in ipairs(list) do
      if messages <= 0 and size <= 0 then break end
      local index, from = indexOf(entry[2][4]), found.skipped
      local to = math.min(index.count, from + math.max(messages, 0))
      local before = index.bytes(from)
      while to < index.count and index.bytes(to) - before < size do to = to + 1 end
      local gone = index.bytes(to) - before
      found.bytes, bytes, size = found.bytes - gone, bytes - gone, size - gone
      found.count, messages = found.count - (to - from), messages - (to - from)
      found.e, found.n = split(entry[1])
      found.n = tonumber(entry[2][2]) + index.place(to)
      isChanged = true
      if to < index.count then
        found.skipped = to
        break
      end
      found.skipped, found.since, last = 0, tonumber(entry[2][1]), entry[1]
    end
    if last then
      local e, n = split(last)
      call('XTRIM', found.key, 'MINID', idOf(e, n + 1))
    end
    count = math.min(64, count * 2)
  end
end

local function evictOld(found, oldest)
  while found.count > 0 and found.since < oldest do
    local entry = call('XRANGE', found.key, '-', '+', 'COUNT', 1)[1]
    if not entry then break end
    local at = tonumber(entry[2][1])
    if at < oldest then
      evict(found, indexOf(entry[2][4]).count - found.skipped, 0)
    else
      found.since, isChanged = at, true
    end
  end
end

local function evictStale(maxTotal, oldest)
  for _ = 1, 100 do
    local stalest = call('ZRANGE', fresh, 0, 0, 'WITHSCORES')
    local key = stalest[1]
    if not key then break end
    local isOld = tonumber(stalest[2]) < oldest
    if not isOld and bytes <= maxTotal then break end
    local found = read(key) or { key = key, bytes = 0, count = 0, e = epoch, n = number }
    if isOld then
      local last = call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
      if last then
        local index = indexOf(last[2][4])
        found.e = split(last[1])
        found.n = tonumber(last[2][2]) + index.place(index.count)
      end
    else
      evict(found, 0, bytes - maxTotal)
      if found.count > 0 then
        save(found)
        break
      end
    end
    bytes, isChanged = bytes - found.bytes, true
    if isAfter(found.e, found.n, forgottenE, forgottenN) then forgottenE, forgottenN = found.e, found.n end
    call('UNLINK', key)
    call('HDEL', logs, key)
    call('ZREM', fresh, key)
  end
end

local function saveAll()
  redis.pcall('HSET', meta, 'number', text(number), 'bytes', text(bytes), 'forgotten', idOf(forgottenE, forgottenN))
end
`

/**
 * Numbers, stores and spreads a batch: in the log as a whole, and in each channel's history as far as it is of that channel. Nothing is
 * done for each message by itself.
 *
 * KEYS: as above, the writer, then each channel once. ARGV: what is known; most messages and bytes of a channel, of all, oldest age;
 * bytes of the log; the batch's number, and how many messages it has; then the group of each channel.
 *
 * A writer's batches have numbers, so that one whose answer was lost can be sent again, and one that was given up cannot come after
 * the next.
 *
 * @returns the id of the last.
 */
export const publishLua: string = `${enter}${eviction}
local writer = KEYS[5]
local maxMessages, maxBytes, maxTotal, age, maxLog = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local batch = tonumber(ARGV[9])
local given = call('GET', writer)
if given then
  local last, id = string.match(given, '^(%d+) (.+)$')
  if tonumber(last) == batch then return id end
  if tonumber(last) > batch then return redis.error_reply('STALE a later batch of this writer is stored already') end
end

local touched = {}
for place = 6, #KEYS do
  local key = KEYS[place]
  touched[place] = read(key) or { key = key, bytes = 0, count = 0, skipped = 0, since = now, e = forgottenE, n = forgottenN, isNew = true }
end

local before, first = idOf(epoch, number), text(number + 1)
number = number + tonumber(ARGV[10])
local id = idOf(epoch, number)
-- First what a Redis that is full refuses: then nothing has been done. And before the entry: whatever fails later, no id is tried twice.
call('HSET', meta, 'number', text(number))
call('XADD', log, id, 'p', before, 'b', table.concat(ARGV, '', 11))
call('SET', writer, text(batch) .. ' ' .. id, 'PX', 3600000)

local at, logBytes, states, scores = text(now), tonumber(state[7] or '0'), {}, {}
for place = 6, #KEYS do
  local found, group = touched[place], ARGV[5 + place]
  if found.isNew then call('UNLINK', found.key) end
  call('XADD', found.key, id, at, first, 'b', group)
  local index = indexOf(group)
  local size = index.bytes(index.count)
  if found.count == 0 then found.since = now end
  found.bytes, bytes, found.count, logBytes = found.bytes + size, bytes + size, found.count + index.count, logBytes + #group
  evict(found, found.count - maxMessages, found.bytes - maxBytes)
  states[#states + 1], states[#states + 2] = found.key, shown(found)
  scores[#scores + 1], scores[#scores + 2] = at, found.key
end
call('HSET', logs, spread(states))
call('ZADD', fresh, spread(scores))
evictStale(maxTotal, now - age)

-- The log keeps what came after the last mark but one.
local mark = state[8] or ''
if logBytes > maxLog / 2 then
  if mark ~= '' then call('XTRIM', log, 'MINID', mark) end
  mark, logBytes = id, 0
end
call('HSET', meta, 'bytes', text(bytes), 'forgotten', idOf(forgottenE, forgottenN), 'logBytes', text(logBytes), 'mark', mark)
return id
`

/**
 * A page of history, in whole batches.
 *
 * KEYS: as above, then the channels. ARGV: what is known; oldest age; the position after which, its epoch and number; the id up to
 * which, or nothing; most bytes.
 *
 * @returns the id up to which; what is wrong with the position, or nothing; the places of the channels with a gap, with spaces
 * between; 1 where there is more; then of each group the id of its batch's last message, the number of its first, and the group. The
 * first batch and the last may reach beyond what was asked for.
 */
export const historyLua: string = `${enter}${eviction}
local age, afterE, afterN, maxBytes = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[8])
local upTo = ARGV[7] ~= '' and ARGV[7] or idOf(epoch, number)
local upToE, upToN = split(upTo)
-- Where the batch ends that this position may be in the middle of.
local lastE, lastN = upToE, upToN + ${maxBatch - 1}

local known
if afterE == epoch then known = afterN <= number and '' or 'unknown' end
local root = epoch
for e, n in string.gmatch(lineage, '(%d+)%-(%d+)') do
  root = math.min(root, tonumber(e))
  if tonumber(e) == afterE then known = afterN <= tonumber(n) and '' or 'epoch' end
end
if not known then known = afterE < root and 'epoch' or 'unknown' end
if known ~= '' then return { upTo, known, '', '' } end

local lost, heads = {}, {}
for place = 5, #KEYS do
  local found = read(KEYS[place])
  if found then
    local since, n = found.since, found.n
    evictOld(found, now - age)
    if found.since ~= since or found.n ~= n then save(found) end
  end
  local e, n = forgottenE, forgottenN
  if found then e, n = found.e, found.n end
  if isAfter(e, n, afterE, afterN) then
    lost[#lost + 1] = text(place - 5)
  elseif found then
    heads[#heads + 1] = KEYS[place]
  end
end
if isChanged then saveAll() end

-- In an order that nobody can choose: each channel is read only up to where those before it have filled the page already. In the worst
-- order all that they keep would be read for one page.
math.randomseed(tonumber(time[2]))
for at = #heads, 2, -1 do
  local other = math.random(at)
  heads[at], heads[other] = heads[other], heads[at]
end

local found, size, more = {}, 0, ''
local function cut()
  table.sort(found, function(one, other) return isAfter(other.e, other.n, one.e, one.n) end)
  local sum, kept = 0, 0
  while kept < #found and (kept == 0 or sum < maxBytes or found[kept].id == found[kept + 1].id) do
    kept = kept + 1
    sum = sum + found[kept].size
  end
  if kept < #found then lastE, lastN, more = found[kept].e, found[kept].n, '1' end
  for at = #found, kept + 1, -1 do found[at] = nil end
  size = sum
end

for _, key in ipairs(heads) do
  local from, count = '(' .. idOf(afterE, afterN), 1
  while from do
    local list = call('XRANGE', key, from, idOf(lastE, lastN), 'COUNT', count)
    from = #list == count and '(' .. list[count][1] or nil
    count = math.min(256, count * 2)
    for _, entry in ipairs(list) do
      local e, n = split(entry[1])
      local first, group = tonumber(entry[2][2]), entry[2][4]
      if not isAfter(e, first, upToE, upToN) then
        local cost = 0
        -- Of a batch that began before, a part was read already.
        if isAfter(e, first, afterE, afterN) then
          local index = indexOf(group)
          cost = index.bytes(index.count) + 64 * index.count
        end
        found[#found + 1], size = { e = e, n = n, id = entry[1], first = first, group = group, size = cost }, size + cost
      end
    end
    if size > 2 * maxBytes then cut() end
  end
end
cut()

local reply = { upTo, '', table.concat(lost, ' '), more }
for _, entry in ipairs(found) do
  reply[#reply + 1] = entry.id
  reply[#reply + 1] = text(entry.first)
  reply[#reply + 1] = entry.group
end
return reply
`

/** Where it all stands. KEYS: as above. ARGV: what is known; most bytes of all, oldest age. @returns the id of the newest. */
export const checkLua: string = `${enter}${eviction}
evictStale(tonumber(ARGV[4]), now - tonumber(ARGV[5]))
if isChanged then saveAll() end
return idOf(epoch, number)
`
