//! The count of all nodes together, in Redis: the rule of `bucket` as a script, by Redis' own clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use mainspring_model::clock::{Clock, Millis};
use redis::Script;

use super::bucket::{self, Budgets, PERIODS, Standing};
use super::subject::Subject;
use crate::live::Redis;

/// A request waits this long for Redis, in milliseconds; then the node's own count decides.
const WITHIN: Millis = 50;
/// After an answer that did not come, nobody waits for the next one for so long.
const PAUSE: Millis = 1_000;

/// `KEYS[1]`: the subject. `ARGV`: requests and period of each budget. Gives whether the request is let in, and what the buckets
/// hold then. Numbers are written by `%d` because Lua's own spelling loses digits of large ones. A key lives as long as it says
/// something: until its buckets are empty.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'at', '1', '2')
local at = tonumber(kept[1] or now)
local used, allowed, lasts = {}, 1, 1
for i = 1, 2 do
  local requests, period = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  used[i] = math.max(0, tonumber(kept[i + 1] or 0) - math.max(0, now - at) * requests)
  if requests > 0 and used[i] + period > requests * period then allowed = 0 end
end
if allowed == 1 then
  for i = 1, 2 do
    local requests, period = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    if requests > 0 then
      used[i] = used[i] + period
      lasts = math.max(lasts, math.ceil(used[i] / requests))
    end
  end
  redis.call('HSET', KEYS[1], 'at', string.format('%d', math.max(at, now)),
    '1', string.format('%d', used[1]), '2', string.format('%d', used[2]))
  redis.call('PEXPIRE', KEYS[1], string.format('%d', lasts + math.max(0, at - now)))
end
return {allowed, used[1], used[2]}
";

pub struct Shared {
    redis: Arc<Redis>,
    /// What keys begin with.
    prefix: String,
    clock: Arc<dyn Clock>,
    script: Script,
    /// Until when nobody asks.
    pause_until: AtomicI64,
}

impl Shared {
    pub fn new(redis: Arc<Redis>, prefix: &str, clock: Arc<dyn Clock>) -> Shared {
        Shared { redis, prefix: format!("{prefix}:limit"), clock, script: Script::new(TAKE), pause_until: AtomicI64::new(Millis::MIN) }
    }

    /// Counts one request in the count of all nodes; `None` when Redis is away or too slow.
    pub async fn take(&self, subject: &Subject, budgets: Budgets) -> Option<Standing> {
        if self.clock.now() < self.pause_until.load(Ordering::Relaxed) {
            return None;
        }
        let mut call = self.script.key(format!("{}:{subject}", self.prefix));
        for (requests, period) in budgets.into_iter().zip(PERIODS) {
            call.arg(requests).arg(period);
        }
        let answer = self.redis.ask::<(u8, u64, u64)>(&call, WITHIN).await?;
        if let Err(error) = &answer {
            tracing::debug!(%error, "Redis did not count a request; this node does by itself");
            self.pause_until.store(self.clock.now() + PAUSE, Ordering::Relaxed);
        }
        let (allowed, minute, hour) = answer.ok()?;
        Some(bucket::standing(budgets, [minute, hour], allowed == 1))
    }
}
