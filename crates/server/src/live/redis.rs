//! The way to the other nodes by Redis: word of which runs to look at, and scripts over the same connection. What readers get is the store's.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::credential::Secret;
use mainspring_model::id::{OrgId, RunId};
use redis::aio::MultiplexedConnection;
use redis::{Client, FromRedisValue, RedisError, ScriptInvocation};
use tokio::sync::Notify;

use super::hub::Hub;

/// The way to the other nodes.
pub struct Redis {
    client: Client,
    channel: String,
    clock: Arc<dyn Clock>,
    outgoing: Mutex<HashSet<(OrgId, Option<RunId>)>>,
    waiting: Notify,
    /// What word goes out by, and scripts. Only `speak` opens it anew.
    open: Mutex<Option<MultiplexedConnection>>,
    /// When anything, also our own word, was last heard.
    heard_at: AtomicI64,
}

/// Word goes out at most this often, in milliseconds.
const PACE: Millis = 20;
/// It goes out at least this often, so that silence means something.
const BEAT: Millis = 2_000;
/// After this much silence the connection counts as lost.
const SILENCE: Millis = 6_000;
/// Of connecting and of one command.
const DEADLINE: Millis = 3_000;
/// Between attempts to connect: at first, and at most.
const AGAIN: (Millis, Millis) = (100, 5_000);
/// Pointers in one message, and the largest message that is read.
const MOST_POINTERS: usize = 500;
const MOST_BYTES: usize = 64 * 1024;

impl Redis {
    /// # Errors
    /// The URL is none of Redis; the reason does not hold it.
    pub fn new(url: &Secret, prefix: &str, clock: Arc<dyn Clock>) -> Result<Arc<Redis>, String> {
        let client = Client::open(url.expose()).map_err(|error| format!("no address of a Redis server ({})", error.category()))?;
        Ok(Arc::new(Redis {
            client,
            channel: format!("{prefix}:live"),
            clock,
            outgoing: Mutex::default(),
            waiting: Notify::new(),
            open: Mutex::default(),
            heard_at: AtomicI64::new(Millis::MIN),
        }))
    }

    /// Whether word comes in.
    pub fn is_up(&self) -> bool {
        self.clock.now().saturating_sub(self.heard_at.load(Ordering::Acquire)) < SILENCE
    }

    /// Tells the other nodes to look at a run, or with `None` at everything of the organization.
    pub(super) fn tell(&self, org: OrgId, run: Option<RunId>) {
        // Nobody hears it: every node looks by itself.
        if !self.is_up() {
            return;
        }
        let mut outgoing = self.lock();
        if outgoing.len() < MOST_POINTERS {
            outgoing.insert((org, run));
        } else {
            outgoing.insert((org, None));
        }
        drop(outgoing);
        self.waiting.notify_one();
    }

    /// Carries word both ways for as long as it is polled.
    pub async fn serve(&self, hub: &Hub) {
        tokio::join!(self.speak(), self.listen(hub));
    }

    /// Runs a script over the connection that is open; `None` at once while there is none. `within`: the longest wait, in milliseconds.
    pub async fn ask<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>, within: Millis) -> Option<Result<T, RedisError>> {
        if !self.is_up() {
            return None;
        }
        let mut open = self.open().clone()?;
        Some(self.in_time(within, script.invoke_async(&mut open)).await)
    }

    async fn speak(&self) {
        let mut pause = AGAIN.0;
        loop {
            let text = self.message();
            let spoken = async {
                let known = self.open().clone();
                let mut open = match known {
                    Some(open) => open,
                    None => self.client.get_multiplexed_async_connection().await?,
                };
                redis::cmd("PUBLISH").arg(&self.channel).arg(text).query_async::<()>(&mut open).await?;
                *self.open() = Some(open);
                Ok(())
            };
            match self.in_time(DEADLINE, spoken).await {
                Ok(()) => pause = AGAIN.0,
                Err(error) => {
                    tracing::debug!(%error, "no word could be sent to the other nodes by Redis");
                    *self.open() = None;
                    self.after(pause).await;
                    pause = (pause * 2).min(AGAIN.1);
                }
            }
            self.after(PACE).await;
            tokio::select! {
                () = self.waiting.notified() => {}
                () = self.after(BEAT) => {}
            }
        }
    }

    async fn listen(&self, hub: &Hub) {
        let mut pause = AGAIN.0;
        let mut said_lost = false;
        loop {
            match self.in_time(DEADLINE, self.subscribe()).await {
                Ok(subscription) => {
                    tracing::info!("word of the other nodes comes by Redis");
                    (pause, said_lost) = (AGAIN.0, false);
                    self.heard();
                    // Something may have been told while nobody heard.
                    hub.ring_all();
                    let mut messages = pin!(subscription.into_on_message());
                    while let Either::Left((Some(message), _)) = select(messages.next(), pin!(self.after(SILENCE))).await {
                        self.heard();
                        for (org, run) in pointers(message.get_payload_bytes()) {
                            hub.ring(org, run);
                        }
                    }
                    self.heard_at.store(Millis::MIN, Ordering::Release);
                    hub.ring_all();
                }
                Err(error) if !std::mem::replace(&mut said_lost, true) => {
                    tracing::warn!(%error, "Redis does not answer; live updates of other nodes come from the database, about a second later, and each node counts rate limits for itself");
                }
                Err(_) => {}
            }
            self.after(pause).await;
            pause = (pause * 2).min(AGAIN.1);
        }
    }

    async fn subscribe(&self) -> Result<redis::aio::PubSub, RedisError> {
        let mut subscription = self.client.get_async_pubsub().await?;
        subscription.subscribe(&self.channel).await?;
        Ok(subscription)
    }

    /// What waits to be told: a line each, `<organization> <run>`, or the organization alone. Ids, and no word about what happened.
    fn message(&self) -> String {
        let outgoing = std::mem::take(&mut *self.lock());
        let line = |(org, run): (OrgId, Option<RunId>)| match run {
            Some(run) => format!("{org} {run}\n"),
            None => format!("{org}\n"),
        };
        outgoing.into_iter().map(line).collect()
    }

    fn heard(&self) {
        self.heard_at.store(self.clock.now(), Ordering::Release);
    }

    async fn in_time<T>(&self, within: Millis, asked: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
        match select(pin!(asked), pin!(self.after(within))).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err((redis::ErrorKind::Io, "no answer in time").into()),
        }
    }

    async fn after(&self, millis: Millis) {
        self.clock.sleep_until(self.clock.now() + millis).await;
    }

    fn open(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.open.lock().expect("no panic happens while the connection is held")
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(OrgId, Option<RunId>)>> {
        self.outgoing.lock().expect("no panic happens while the pointers are held")
    }
}

/// Reads a message; what is no pointer is passed over. Whoever can write into Redis can make nodes look, and no more.
fn pointers(message: &[u8]) -> Vec<(OrgId, Option<RunId>)> {
    if message.len() > MOST_BYTES {
        return vec![];
    }
    let text = std::str::from_utf8(message).unwrap_or_default();
    let pointer = |line: &str| match line.split_once(' ') {
        Some((org, run)) => Some((org.parse().ok()?, Some(run.parse().ok()?))),
        None => Some((line.parse().ok()?, None)),
    };
    text.lines().filter_map(pointer).take(2 * MOST_POINTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_model::clock::FakeClock;
    use uuid::Uuid;

    fn redis() -> (Arc<Redis>, FakeClock) {
        let clock = FakeClock::at(1_000_000);
        let redis = Redis::new(&Secret::new("redis://:hunter2@127.0.0.1:1/0".to_owned()), "m", Arc::new(clock.clone())).unwrap();
        (redis, clock)
    }

    #[test]
    fn a_message_names_runs_and_nothing_else() {
        let (redis, clock) = redis();
        let (org, run) = (OrgId(Uuid::from_u128(1)), RunId(Uuid::from_u128(2)));
        redis.tell(org, Some(run));
        assert_eq!(redis.message(), "", "nobody hears it");
        redis.heard();
        redis.tell(org, Some(run));
        redis.tell(org, Some(run));
        assert_eq!(pointers(redis.message().as_bytes()), [(org, Some(run))]);
        clock.advance_to(clock.now() + SILENCE);
        assert!(!redis.is_up());
    }

    #[test]
    fn word_is_bounded_and_hostile_word_is_passed_over() {
        let (redis, _) = redis();
        redis.heard();
        for n in 0..10_000 {
            redis.tell(OrgId(Uuid::from_u128(1)), Some(RunId(Uuid::from_u128(n))));
        }
        let message = redis.message();
        assert!(message.len() < MOST_BYTES);
        let read = pointers(message.as_bytes());
        assert_eq!((read.len(), read.contains(&(OrgId(Uuid::from_u128(1)), None))), (MOST_POINTERS + 1, true));
        for hostile in [&b"\xff\xfe"[..], b"a b c\n\n \n", b"{}", &[b'x'; MOST_BYTES + 1]] {
            assert_eq!(pointers(hostile), []);
        }
    }

    #[test]
    fn a_url_that_is_none_is_not_repeated() {
        let clock = Arc::new(FakeClock::at(0));
        let error = Redis::new(&Secret::new("hunter2://x".to_owned()), "m", clock).err().unwrap();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
