//! A run that a server drives: handed over, and followed by its event stream until its end.

use std::time::Duration;

use ::http::Method;
use mainspring_model::clock::Millis;
use mainspring_model::flow::Priority;
use mainspring_model::id::{PlanId, RunId};
use mainspring_model::run::RunStatus;
use serde_json::{Value, json};

use super::get;
use super::interrupt::{Interrupt, Interrupts};
use super::outcome::{Asked, End};
use super::screen::Screen;
use super::update::Update;
use crate::cli::api::Api;
use crate::cli::events::Events;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::place;

/// Between two frames of the spinner, in milliseconds.
const FRAME: Millis = 100;
/// Before a lost stream is asked for again, in milliseconds.
const AGAIN: Millis = 1_000;
/// Streams lost in a row without an event in between, before the server counts as gone.
const PATIENCE: u32 = 10;

/// Starts a run of a plan on the server and stays with it.
pub(super) async fn start(
    api: &Api,
    plan: PlanId,
    inputs: Value,
    priority: Option<Priority>,
    screen: Screen,
    limit: Option<Duration>,
) -> Result<End, Failure> {
    let mut body = json!({ "plan_id": plan, "inputs": inputs, "wait": false });
    if let Some(priority) = priority {
        body["priority"] = json!(priority);
    }
    let answer = api.send(Method::POST, "/api/execute", &body).await?;
    let run = answer["execution"]["id"].as_str().and_then(|id| id.parse().ok());
    let run = run.ok_or_else(|| Failure::new(Exit::Unreachable, "BAD_RESPONSE", "the server started the run and its answer names none"))?;
    self::run(api, run, screen, limit).await
}

/// Stays with a run until its end.
pub(super) async fn run(api: &Api, run: RunId, screen: Screen, limit: Option<Duration>) -> Result<End, Failure> {
    let now = place::clock().now();
    let until = limit.map(|limit| now.saturating_add(Millis::try_from(limit.as_millis()).unwrap_or(Millis::MAX)));
    let mut follow = Follow { api, run, screen, seq: 0, last: None, until, asked: Asked::Nothing };
    let end = follow.stay(Interrupts::listen()).await;
    follow.screen.close();
    end
}

struct Follow<'a> {
    api: &'a Api,
    run: RunId,
    screen: Screen,
    seq: u32,
    /// The id of the last event of the stream.
    last: Option<String>,
    until: Option<Millis>,
    asked: Asked,
}

/// What a stream came to.
enum Streamed {
    Ended,
    Left,
    Lost(Option<Failure>),
}

impl Follow<'_> {
    async fn stay(&mut self, mut interrupts: Interrupts) -> Result<End, Failure> {
        let path = format!("/api/runs/{}/events", self.run);
        let clock = place::clock();
        let mut lost = 0;
        loop {
            let before = self.seq;
            let streamed = match self.api.events(&path, self.last.as_deref()).await {
                Ok(mut events) => self.stream(&mut events, &mut interrupts).await?,
                Err(failure) if failure.exit == Exit::Unreachable => Streamed::Lost(Some(failure)),
                Err(failure) => return Err(failure),
            };
            let failure = match streamed {
                Streamed::Ended => return Ok(End { run: self.run, asked: self.asked, left: false }),
                Streamed::Left => return Ok(End { run: self.run, asked: self.asked, left: true }),
                Streamed::Lost(failure) => failure,
            };
            // A stream may end because the run did, or because the server restarts.
            let known = get(self.api, self.run).await.ok();
            let status = known.as_ref().and_then(|run| run["status"].as_str()).and_then(RunStatus::parse);
            if status.is_some_and(RunStatus::is_terminal) {
                return Ok(End { run: self.run, asked: self.asked, left: false });
            }
            lost = if self.seq > before || status.is_some() { 0 } else { lost + 1 };
            if lost >= PATIENCE {
                let failure = failure.unwrap_or_else(|| Failure::new(Exit::Unreachable, "CONNECTION_FAILED", "the server answers no more"));
                return Err(
                    failure.next(format!("the run was accepted and is not lost; `mainspring run show {}` tells how it goes", self.run))
                );
            }
            tokio::select! {
                interrupt = interrupts.next() => if self.interrupted(interrupt).await? { return Ok(End { run: self.run, asked: self.asked, left: true }) },
                () = clock.sleep_until(clock.now() + AGAIN) => {}
            }
        }
    }

    async fn stream(&mut self, events: &mut Events, interrupts: &mut Interrupts) -> Result<Streamed, Failure> {
        let clock = place::clock();
        while !self.screen.progress().is_over() {
            let now = clock.now();
            tokio::select! {
                biased;
                interrupt = interrupts.next() => if self.interrupted(interrupt).await? { return Ok(Streamed::Left) },
                event = events.next() => match event {
                    None => return Ok(Streamed::Lost(None)),
                    Some(Err(failure)) => return Ok(Streamed::Lost(Some(failure))),
                    Some(Ok(event)) => {
                        let update = Update::of_stream(&event.name, &event.data);
                        self.last = event.id.or(self.last.take());
                        if let Some(update) = update.filter(|update| update.seq().is_none_or(|seq| seq > self.seq)) {
                            self.seq = update.seq().unwrap_or(self.seq);
                            self.screen.show(&update, now);
                        }
                    }
                },
                () = clock.sleep_until(self.until.unwrap_or(Millis::MAX)), if self.until.is_some() => {
                    self.until = None;
                    if self.asked == Asked::Nothing {
                        self.asked = Asked::TimedOut;
                        self.screen.say("--timeout passed: the run is asked to end", now);
                        self.cancel().await?;
                    }
                }
                () = clock.sleep_until(now + FRAME), if self.screen.rewrites() => self.screen.turn(now),
            }
        }
        Ok(Streamed::Ended)
    }

    /// Whether to leave.
    async fn interrupted(&mut self, interrupt: Interrupt) -> Result<bool, Failure> {
        if interrupt == Interrupt::Terminate || self.asked == Asked::Interrupted {
            return Ok(true);
        }
        self.asked = Asked::Interrupted;
        self.screen.say("Ctrl-C: the run is asked to end; once more leaves at once", place::clock().now());
        self.cancel().await?;
        Ok(false)
    }

    async fn cancel(&self) -> Result<(), Failure> {
        match self.api.send(Method::POST, &format!("/api/runs/{}/cancel", self.run), &json!({})).await {
            Ok(_) => Ok(()),
            // It ended meanwhile, which is what was wanted.
            Err(failure) if failure.exit == Exit::Conflict => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}
