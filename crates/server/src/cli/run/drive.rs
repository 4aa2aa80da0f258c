//! A run driven in this process: started or taken up, watched until its end, and kept alive while it waits.

use std::sync::Arc;
use std::time::Duration;

use mainspring_engine::live::LiveEvent;
use mainspring_engine::{Progress, RunHandle, Start};
use mainspring_model::clock::Millis;
use mainspring_model::event::Event;
use mainspring_model::id::{Owner, RunId};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

use super::interrupt::{Interrupt, Interrupts};
use super::outcome::{Asked, End};
use super::screen::Screen;
use super::update::Update;
use crate::app::App;
use crate::cli::api::Api;
use crate::cli::failure::Failure;
use crate::cli::text::{moment, span};

/// Between two frames of the spinner, in milliseconds.
const FRAME: Millis = 100;
/// Between two looks at a run that others may end (quarantine), in milliseconds.
const LOOK: Millis = 1_000;
/// How long attempts in flight may take to end when this process leaves in order, in milliseconds.
pub(super) const DRAIN_FOR: Millis = 8_000;
/// A wait that is worth a line of its own, in milliseconds. Shorter ones are retries, which said so themselves.
const LONG: Millis = 10_000;

/// Starts a run of a saved plan and stays with it.
pub(super) async fn start(api: &Api, mut wanted: Start, screen: Screen, limit: Option<Duration>) -> Result<End, Failure> {
    let app = app(api)?;
    wanted.inputs = wanted.plan.plan.inputs.accept(&wanted.inputs).map_err(Failure::inputs)?;
    let interrupts = Interrupts::listen();
    let mut handle = app.engine.start(wanted).await?;
    // Watching begins after the start, so the journal fills in what came between.
    let watching = app.engine.watchers().watch(handle.id);
    let run = handle.accepted().await?;
    Drive::new(app, run, screen, limit).stay(Some(handle), watching, interrupts).await
}

/// Takes up a run that nobody drives.
pub(super) async fn resume(api: &Api, run: RunId, screen: Screen, limit: Option<Duration>) -> Result<End, Failure> {
    let app = app(api)?;
    let interrupts = Interrupts::listen();
    let watching = app.engine.watchers().watch(run);
    let mut drive = Drive::new(app, run, screen, limit);
    drive.screen.say(&format!("going on with run {run}"), app.clock.now());
    drive.claim();
    drive.stay(None, watching, interrupts).await
}

fn app(api: &Api) -> Result<&Arc<App>, Failure> {
    api.app().ok_or_else(|| Failure::internal("a run in this process needs the data folder"))
}

struct Drive<'a> {
    app: &'a Arc<App>,
    run: RunId,
    screen: Screen,
    /// The last journal row that was shown.
    seq: u32,
    until: Option<Millis>,
    asked: Asked,
    claiming: Option<JoinHandle<()>>,
    /// A long wait that was told already.
    told: Option<Millis>,
}

impl<'a> Drive<'a> {
    fn new(app: &'a Arc<App>, run: RunId, screen: Screen, limit: Option<Duration>) -> Drive<'a> {
        let now = app.clock.now();
        let until = limit.map(|limit| now.saturating_add(Millis::try_from(limit.as_millis()).unwrap_or(Millis::MAX)));
        Drive { app, run, screen, seq: 0, until, asked: Asked::Nothing, claiming: None, told: None }
    }

    async fn stay(
        mut self,
        mut handle: Option<RunHandle>,
        mut watching: Receiver<LiveEvent>,
        mut interrupts: Interrupts,
    ) -> Result<End, Failure> {
        self.catch_up().await?;
        let mut looked = self.app.clock.now();
        while !self.screen.progress().is_over() {
            let now = self.app.clock.now();
            let pause = if self.screen.rewrites() { FRAME } else { LOOK };
            tokio::select! {
                biased;
                interrupt = interrupts.next() => match interrupt {
                    Interrupt::Key if self.asked != Asked::Interrupted => {
                        self.screen.say("Ctrl-C: the run is asked to end; once more leaves at once", now);
                        self.asked = Asked::Interrupted;
                        self.cancel("ctrl-c").await?;
                    }
                    Interrupt::Key | Interrupt::Terminate => {
                        self.screen.close();
                        if interrupt == Interrupt::Terminate {
                            self.app.engine.drain(DRAIN_FOR).await;
                        }
                        return Ok(End { run: self.run, asked: self.asked, left: true });
                    }
                },
                live = watching.recv() => match live {
                    Ok(live) => if let Some(update) = Update::of_live(live) { self.show(update).await? },
                    Err(RecvError::Lagged(_)) => self.catch_up().await?,
                    Err(RecvError::Closed) => watching = self.app.engine.watchers().watch(self.run),
                },
                progress = settled(&mut handle) => self.settled(&progress).await?,
                () = self.app.clock.sleep_until(self.until.unwrap_or(Millis::MAX)), if self.until.is_some() => {
                    self.until = None;
                    if self.asked == Asked::Nothing {
                        self.asked = Asked::TimedOut;
                        self.screen.say("--timeout passed: the run is asked to end", now);
                        self.cancel("--timeout").await?;
                    }
                }
                () = self.app.clock.sleep_until(now + pause) => {
                    self.screen.turn(now);
                    self.tell_wait(now);
                    if self.claiming.is_some() && now - looked >= LOOK {
                        looked = now;
                        if self.app.store.ending(self.run).await?.is_some() {
                            self.catch_up().await?;
                        }
                    }
                }
            }
        }
        self.screen.close();
        Ok(End { run: self.run, asked: self.asked, left: false })
    }

    /// The driver is done with the run, which may not have ended.
    async fn settled(&mut self, progress: &Progress) -> Result<(), Failure> {
        if let Some(error) = &progress.refused {
            self.screen.close();
            return Err(mainspring_engine::StartError::Store(error.clone()).into());
        }
        self.catch_up().await?;
        if !self.screen.progress().is_over() {
            // It waits, and nobody but us is here to wake it.
            self.claim();
        }
        Ok(())
    }

    /// Takes up due runs from now on: this one when its wait is over, and its children.
    fn claim(&mut self) {
        if self.claiming.is_none() {
            let engine = self.app.engine.clone();
            self.claiming = Some(tokio::spawn(async move { engine.serve_claims().await }));
        }
    }

    async fn cancel(&mut self, by: &str) -> Result<(), Failure> {
        self.app.engine.cancel(Owner::LOCAL.org, self.run, by).await?;
        Ok(())
    }

    /// One update; rows that were missed before it come first.
    async fn show(&mut self, update: Update) -> Result<(), Failure> {
        match update.seq() {
            Some(seq) if seq <= self.seq => return Ok(()),
            Some(seq) if seq > self.seq + 1 => return self.catch_up().await,
            Some(seq) => self.seq = seq,
            None => {}
        }
        self.screen.show(&update, self.app.clock.now());
        Ok(())
    }

    /// Everything of the journal that was not shown yet.
    async fn catch_up(&mut self) -> Result<(), Failure> {
        let history: Vec<Event> = self.app.store.history(self.run).await?;
        for event in history {
            if event.seq > self.seq {
                self.seq = event.seq;
                self.screen.show(&Update::Event(Box::new(event)), self.app.clock.now());
            }
        }
        Ok(())
    }

    fn tell_wait(&mut self, now: Millis) {
        let Some(until) = self.screen.progress().waits_until() else { return };
        if until - now < LONG || self.told == Some(until) {
            return;
        }
        self.told = Some(until);
        let text = format!(
            "nothing to do until {} ({}); this process stays for it, and `mainspring run --resume {}` goes on if it ends",
            moment(until),
            span(until - now),
            self.run
        );
        self.screen.say(&text, now);
    }
}

impl Drop for Drive<'_> {
    fn drop(&mut self) {
        if let Some(claiming) = self.claiming.take() {
            claiming.abort();
        }
    }
}

/// The handle's next word, once: afterwards there is none.
async fn settled(handle: &mut Option<RunHandle>) -> Progress {
    match handle {
        Some(waiting) => {
            let progress = waiting.settled().await;
            *handle = None;
            progress
        }
        None => std::future::pending().await,
    }
}
