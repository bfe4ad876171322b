"""The limiter's scripts: each decides over everything it touches in one step, on the server's own clock.

Amounts and instants are integers; a script's numbers are doubles, exact up to 2^53, so instants are microseconds here.
`KEYS[1]` holds what the whole limiter shares: the newest time seen, which time never falls behind, the run id of the
server that the counts were made on, and until when nothing is let through because that has changed.
"""

from __future__ import annotations

from engine.storage.redis import Script

SERVER_TIME = "local t = redis.call('TIME') local now = t[1] * 1000000 + t[2]"
"""Where the scripts take the time from; tests put a clock of their own here."""

_TIME = "-- the time"
_BEGIN = """
local function text(number) return string.format('%.0f', number) end
-- the time
local run_id, quarantine, op = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local state = redis.call('HMGET', KEYS[1], 'newest', 'run_id', 'closed_until')
local closed_until = tonumber(state[3]) or 0
if state[1] and tonumber(state[1]) > now then
  now = tonumber(state[1])
else
  redis.call('HSET', KEYS[1], 'newest', text(now))
end
if state[2] ~= run_id then
  closed_until = now + quarantine
  redis.call('HSET', KEYS[1], 'run_id', run_id, 'closed_until', text(closed_until))
end
"""

_SLOTS = """
local slots, slot, limit, held = KEYS[2], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
redis.call('ZREMRANGEBYSCORE', slots, '-inf', '(' .. text(now))
local verdict = 1
if op == 'reserve' then
  if closed_until > now then
    verdict = -1
  elseif not redis.call('ZSCORE', slots, slot) then
    if redis.call('ZCARD', slots) >= limit then
      verdict = 0
    else
      redis.call('ZADD', slots, text(now + held), slot)
    end
  end
elseif op == 'settle' then
  if held > 0 then
    redis.call('ZADD', slots, text(now + held), slot)
  else
    redis.call('ZREM', slots, slot)
  end
end
local answer = {verdict, math.max(0, closed_until - now)}
local ends = redis.call('ZRANGE', slots, 0, -1, 'WITHSCORES')
local last = 0
for index = 2, #ends, 2 do
  last = tonumber(ends[index]) - now
  answer[#answer + 1] = last
end
if last > 0 then redis.call('PEXPIRE', slots, math.ceil(last / 1000) + 3600000) end
return answer
"""

_QUOTAS = """
local count, worst, blocked = tonumber(ARGV[4]), now, 0
local function bound(index)
  local at = 5 + (index - 1) * 5
  local name = KEYS[index + 1]
  return name .. ':stamps', name .. ':amounts', tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]),
    tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
end
local function forget(order, amounts, span)
  local gone = redis.call('ZRANGEBYSCORE', order, '-inf', text(now - span))
  if #gone == 0 then return end
  local sum = 0
  for _, stamp in ipairs(gone) do
    sum = sum + tonumber(redis.call('HGET', amounts, stamp) or 0)
    redis.call('HDEL', amounts, stamp)
  end
  redis.call('HINCRBY', amounts, 'n', text(-sum))
  redis.call('ZREMRANGEBYSCORE', order, '-inf', text(now - span))
end
local function opens_at(order, amounts, span, limit, ceiling, amount)
  local left = tonumber(redis.call('HGET', amounts, 'n') or 0)
  if left + amount <= limit then return now end
  if amount > ceiling then return math.huge end
  local from = 0
  while left > 0 do
    local stamps = redis.call('ZRANGE', order, from, from + 63)
    if #stamps == 0 then break end
    for _, stamp in ipairs(stamps) do
      left = left - tonumber(redis.call('HGET', amounts, stamp) or 0)
      if left + amount <= limit or left <= 0 then return tonumber(stamp) + span end
    end
    from = from + 64
  end
  return now
end
if op == 'adjust' then
  for index = 1, count do
    local order, amounts, width, grain, stamp, change = bound(index)
    if redis.call('HEXISTS', amounts, text(stamp)) == 1 then
      redis.call('HINCRBY', amounts, text(stamp), text(change))
      redis.call('HINCRBY', amounts, 'n', text(change))
    end
  end
  return {1}
end
if op == 'look' then
  local answer = {1}
  for index = 1, count do
    local order, amounts, width, grain = bound(index)
    forget(order, amounts, width + grain)
    local first = redis.call('ZRANGE', order, 0, 0)
    answer[#answer + 1] = tonumber(redis.call('HGET', amounts, 'n') or 0)
    answer[#answer + 1] = first[1] and (tonumber(first[1]) + width + grain - now) or -1
  end
  return answer
end
if closed_until > now then return {-1, closed_until - now} end
for index = 1, count do
  local order, amounts, width, grain, limit, ceiling, amount = bound(index)
  forget(order, amounts, width + grain)
  local opens = opens_at(order, amounts, width + grain, limit, ceiling, amount)
  if opens > worst then worst, blocked = opens, index end
end
if worst == math.huge then return {-2, blocked} end
if blocked > 0 then return {0, blocked, worst - now} end
local answer = {1}
for index = 1, count do
  local order, amounts, width, grain, limit, ceiling, amount = bound(index)
  local stamp = now - now % grain
  redis.call('ZADD', order, text(stamp), text(stamp))
  redis.call('HINCRBY', amounts, text(stamp), text(amount))
  redis.call('HINCRBY', amounts, 'n', text(amount))
  local keep = math.ceil((width + grain) / 1000) + 3600000
  redis.call('PEXPIRE', order, keep)
  redis.call('PEXPIRE', amounts, keep)
  answer[#answer + 1] = stamp
end
return answer
"""


def slots(time: str = SERVER_TIME) -> Script:
    """The accounts' message windows.

    KEYS: state, the account's slots. ARGV: run id, quarantine, `reserve`, `settle` or `look`, the slot, the limit, and
    for how long from now the slot is taken (0: free). Returns 1, 0 (full) or -1 (closed), how long it is closed, and
    for each taken slot, ascending, how long yet. A slot is taken at its last microsecond too.
    """
    return Script(_BEGIN.replace(_TIME, time) + _SLOTS)


def quotas(time: str = SERVER_TIME) -> Script:
    """The models' quotas.

    KEYS: state, and a name for each window, whose stamps and amounts lie in two keys beside it. ARGV: run id,
    quarantine, op, the number of windows, and five for each: width, grain, and for `take` the limit, the whole limit
    and the amount; for `adjust` the stamp, the change and nothing; for `look` nothing. `take` returns 1 and the stamps;
    0, the window that opens last and in how long; -2 and the window the amount is too large for; -1 and how long it is
    closed.
    """
    return Script(_BEGIN.replace(_TIME, time) + _QUOTAS)
