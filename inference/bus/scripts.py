"""The steps that must happen at once in Redis, as Lua; times come from the server's clock.

Keys of request R: `req:R` (hash: model, body, state, attempt, worker), `inboxes:R` (set),
`log:R` (list of packed events), `adm:M` (unfinished requests of model M by expiry). Keys of
worker W: `w:W` (packed heartbeat, expires), `ws` (worker ids by expiry).
"""

# KEYS req, inboxes, admission · ARGV id, model, body, inbox, capacity, ttl_s
# → 1 in, 2 known, 0 full
SUBMIT = """
local now = tonumber(redis.call('TIME')[1])
if redis.call('EXISTS', KEYS[1]) == 1 then return 2 end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then return 0 end
redis.call('ZADD', KEYS[3], now + ARGV[6], ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[6])
redis.call('HSET', KEYS[1], 'model', ARGV[2], 'body', ARGV[3], 'state', 'queued',
           'attempt', 0, 'worker', '')
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('SADD', KEYS[2], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[6])
return 1
"""

# KEYS req, inboxes, log · ARGV attempt, worker → false, or [body, inboxes, log]
# The same worker may ask again: its first answer may have been lost on the way.
CLAIM = """
local now = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'body', 'worker')
if now[2] ~= ARGV[1] then return false end
if now[1] ~= 'queued' and not (now[1] == 'running' and now[4] == ARGV[2]) then return false end
redis.call('HSET', KEYS[1], 'state', 'running', 'worker', ARGV[2])
return {now[3], redis.call('SMEMBERS', KEYS[2]), redis.call('LRANGE', KEYS[3], 0, -1)}
"""

# KEYS req, inboxes, log · ARGV attempt, event, frame, id, ttl_s → 1 done, 0 not ours
CLOSE = """
local now = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'model')
if not now[1] or now[1] == 'ended' or now[2] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', 'ended')
redis.call('RPUSH', KEYS[3], ARGV[2])
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[5]) end
redis.call('ZREM', 'adm:' .. now[3], ARGV[4])
for _, inbox in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  redis.call('PUBLISH', 'in:' .. inbox, ARGV[3])
end
return 1
"""

# KEYS req, inboxes, log · ARGV attempt, id, ttl_s → 1 done, 0 another attempt counts
END = """
local now = redis.call('HMGET', KEYS[1], 'attempt', 'model')
if now[1] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', 'ended')
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[3]) end
redis.call('ZREM', 'adm:' .. now[2], ARGV[2])
return 1
"""

# KEYS req, inboxes, log · ARGV attempt, tail, frame → 1 done, 0 somebody was faster
REQUEUE = """
local now = redis.call('HMGET', KEYS[1], 'state', 'attempt')
if now[1] ~= 'running' or now[2] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', 'queued', 'attempt', tonumber(ARGV[1]) + 1, 'worker', '')
redis.call('RPUSH', KEYS[3], ARGV[2])
for _, inbox in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  redis.call('PUBLISH', 'in:' .. inbox, ARGV[3])
end
return 1
"""

# KEYS req, inboxes, log · ARGV model, body, state, attempt, worker, ttl_s, n, inbox…, event…
RESTORE = """
redis.call('HSET', KEYS[1], 'model', ARGV[1], 'body', ARGV[2], 'state', ARGV[3],
           'attempt', ARGV[4], 'worker', ARGV[5])
redis.call('DEL', KEYS[3])
local inboxes = tonumber(ARGV[7])
for i = 8, 7 + inboxes do redis.call('SADD', KEYS[2], ARGV[i]) end
for i = 8 + inboxes, #ARGV do redis.call('RPUSH', KEYS[3], ARGV[i]) end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[6]) end
return 1
"""

# KEYS heartbeat, workers · ARGV id, packed, ttl_ms
BEAT = """
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now_ms)
redis.call('ZADD', KEYS[2], now_ms + ARGV[3], ARGV[1])
return 1
"""
