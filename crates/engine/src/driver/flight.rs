//! Attempts in flight: starting them when their grounds are durable, dropping them, and recording how they ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainspring_model::action::Keeps;
use mainspring_model::clock::Millis;
use mainspring_model::event::EventBody;
use tracing::Instrument;

use super::{Driver, Flying, Landing, Signal, Stop};
use crate::attempt;
use crate::live::LiveEvent;
use crate::rows;
use crate::run::{Addr, Call, RowsWanted};

impl Driver {
    /// Starts the calls whose grounds are durable.
    pub(super) fn start_calls(&mut self) {
        let Some(durable) = self.durable else { return };
        while self.queue.front().is_some_and(|call| call.after <= durable) {
            let call = self.queue.pop_front().expect("checked just above");
            self.fly(*call);
        }
    }

    pub(super) fn fly(&mut self, call: Call) {
        let header = self.run.header().clone();
        if !self.marked {
            self.inner.marks.enter(header.id, self.alone.is_some());
            self.marked = true;
        }
        if self.inner.watchers.is_watched(header.id) {
            let action = format!("{}.{}", call.provider, call.action);
            let at = self.inner.clock.now();
            self.inner.watchers.tell(header.id, LiveEvent::Attempting { path: call.path.clone(), attempt: call.attempt, action, at });
        }
        let (addr, attempt) = (call.addr, call.attempt);
        let sent = Arc::new(AtomicBool::new(false));
        let (inner, epoch, flag) = (self.inner.clone(), self.epoch, sent.clone());
        let began_us = self.inner.clock.monotonic_us();
        let span = tracing::error_span!("attempt", step_id = call.path, attempt);
        let keeps = Keeps::default();
        let work = async move {
            let tried = attempt::perform(inner, header, call, epoch, flag, keeps.clone()).await;
            Landing::Attempt(addr, attempt, tried, keeps)
        };
        let abort = self.tasks.spawn(work.instrument(span));
        self.flying.insert(addr, Flying { attempt, sent, abort, began_us });
    }

    pub(super) async fn abort(&mut self, addr: Addr) -> Result<(), Stop> {
        let (attempt, sent, latency) = match self.flying.remove(&addr) {
            Some(flying) => {
                flying.abort.abort();
                let latency = self.inner.clock.monotonic_us().saturating_sub(flying.began_us);
                (flying.attempt, flying.sent.load(Ordering::Acquire), latency)
            }
            None => match self.queue.iter().position(|call| call.addr == addr) {
                Some(place) => (self.queue.remove(place).map_or(1, |call| call.attempt), false, 0),
                None => (1, false, 0),
            },
        };
        if self.flying.is_empty() {
            self.unmark();
        }
        match self.run.aborted(addr, attempt, sent, latency) {
            Some(body) => self.record(body).await,
            None => Ok(()),
        }
    }

    pub(super) async fn wait_for_something(&mut self, until: Option<Millis>) -> Result<(), Stop> {
        let clock = self.inner.clock.clone();
        let moment = async {
            match until {
                Some(until) => clock.sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                self.landed(done).await?;
                // Many attempts may have ended meanwhile: their events share one commit.
                while let Some(done) = self.tasks.try_join_next() {
                    self.landed(done).await?;
                }
                if self.flying.is_empty() {
                    self.unmark();
                }
            }
            signal = self.inbox.recv() => match signal {
                Some(signal) => self.on_signal(signal).await?,
                // Nobody can tell this driver anything: another one has taken its place.
                None => return Err(Stop::Late),
            },
            () = moment => {}
        }
        Ok(())
    }

    fn pause(&mut self, paused: bool) {
        self.paused = paused;
        self.run.set_paused(paused);
    }

    /// Reads rows beside the attempts: a large file takes a while.
    pub(super) fn read_rows(&mut self, wanted: Box<RowsWanted>) {
        let (inner, header) = (self.inner.clone(), self.run.header().clone());
        self.reading += 1;
        self.tasks.spawn(async move {
            let read = rows::read(&inner, &header, &wanted).await;
            Landing::Rows(wanted, read)
        });
    }

    pub(super) async fn landed(&mut self, done: Result<Landing, tokio::task::JoinError>) -> Result<(), Stop> {
        // What the attempt kept goes when its end is recorded.
        let (addr, attempt, tried, _keeps) = match done {
            Ok(Landing::Attempt(addr, attempt, tried, keeps)) => (addr, attempt, tried, keeps),
            Ok(Landing::Rows(wanted, read)) => {
                self.reading = self.reading.saturating_sub(1);
                self.run.rows_read(&wanted, read);
                return Ok(());
            }
            // A panic of the action is a fault already; this one is our own, and ends the driver.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // An aborted attempt was recorded when it was aborted.
            Err(_) => return Ok(()),
        };
        match self.flying.get(&addr) {
            Some(flying) if flying.attempt == attempt => {}
            _ => return Ok(()),
        }
        self.flying.remove(&addr);
        match tried {
            Some(tried) => self.settle(addr, attempt, tried).await,
            None => Err(Stop::Late),
        }
    }

    pub(super) async fn on_signal(&mut self, signal: Signal) -> Result<(), Stop> {
        match signal {
            Signal::Cancel { by } => {
                self.pause(false);
                self.record(EventBody::CancelRequested { by }).await
            }
            Signal::Pause => {
                self.pause(!self.run.has_been_cancelled());
                Ok(())
            }
            Signal::Child => self.look_at_children().await.map(|_| ()),
            Signal::Arrived => {
                self.look_at = 0;
                Ok(())
            }
            Signal::Shutdown => {
                self.shutdown = true;
                self.queue.clear();
                Ok(())
            }
            Signal::Abandon => {
                self.shutdown = true;
                self.queue.clear();
                self.tasks.abort_all();
                self.flying.clear();
                self.reading = 0;
                self.unmark();
                Ok(())
            }
            Signal::Company => {
                self.alone = None;
                if self.marked {
                    let id = self.run.header().id;
                    self.inner.marks.leave(id);
                    self.inner.marks.enter(id, false);
                }
                Ok(())
            }
        }
    }
}
