//! The feed of one run: the newest rows of its journal in a small ring, and how it stands. What is older is read from the journal.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::{RunStatus, RunSummary};
use mainspring_model::store::StoreError;

use super::event;
use super::feed::{Bell, Listeners};
use super::hub::Hub;

pub struct Trail {
    pub org: OrgId,
    pub run: RunId,
    pub bell: Bell,
    pub listeners: Listeners,
    seen: Mutex<Seen>,
}

struct Seen {
    /// Rows with consecutive `seq`, the last one being `last`; without a text where nothing is told.
    rows: VecDeque<Row>,
    last: u32,
    /// `last` is a row that is there; before that it is only what the first reader said.
    verified: bool,
    /// Everything up to the journal's end was read once.
    caught_up: bool,
    state: State,
    over: bool,
}

/// A row's `seq`, and its event when it has one.
pub type Row = (u32, Option<Arc<str>>);

/// How a run stands while it goes on; what came before is of no interest any more.
#[derive(Clone, Default)]
pub struct State {
    /// One more with each change; 0 before the first look.
    pub version: u64,
    pub text: Option<Arc<str>>,
}

/// What there is for a reader.
pub enum Ahead {
    Rows(Vec<Row>),
    /// Rows that are no longer in the ring: the journal has them.
    InTheJournal,
    /// Nothing new; `over`: and nothing will come.
    Nothing {
        over: bool,
    },
    /// The reader claims to have seen rows that are not there; the newest one is this.
    Beyond(u32),
}

/// Rows that a trail keeps.
const KEPT: usize = 32;
/// Rows of one page of the journal.
pub const PAGE: u32 = 100;
/// At the least between two looks, in milliseconds.
const PACE: Millis = 10;

impl Trail {
    pub fn new(org: OrgId, run: RunId, after: u32) -> Trail {
        let seen =
            Seen { rows: VecDeque::new(), last: after, verified: after == 0, caught_up: false, state: State::default(), over: false };
        Trail { org, run, bell: Bell::default(), listeners: Listeners::default(), seen: Mutex::new(seen) }
    }

    pub fn is_over(&self) -> bool {
        self.lock().over
    }

    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// What follows `after`, at most `most`.
    pub fn ahead(&self, after: u32, most: usize) -> Ahead {
        let seen = self.lock();
        if !seen.verified {
            return Ahead::Nothing { over: false };
        }
        if after > seen.last {
            return if seen.caught_up { Ahead::Beyond(seen.last) } else { Ahead::Nothing { over: false } };
        }
        if after == seen.last {
            return Ahead::Nothing { over: seen.over };
        }
        match seen.rows.front() {
            Some((first, _)) if *first <= after + 1 => {
                Ahead::Rows(seen.rows.iter().skip((after + 1 - first) as usize).take(most).cloned().collect())
            }
            _ => Ahead::InTheJournal,
        }
    }

    fn push(&self, rows: Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        {
            let mut seen = self.lock();
            for row in rows {
                if seen.rows.len() == KEPT {
                    seen.rows.pop_front();
                }
                seen.last = row.0;
                seen.rows.push_back(row);
            }
        }
        self.listeners.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic happens while the trail is held")
    }
}

/// Looks whenever somebody rings and now and then by itself, until the run is over or nobody listens.
pub async fn follow(hub: Arc<Hub>, trail: Arc<Trail>) {
    let mut known = None;
    loop {
        drop(trail.bell.take());
        match look(&hub, &trail, &mut known).await {
            Ok(()) => {}
            Err(error) => {
                if !hub.breathe(&error).await {
                    return;
                }
                trail.bell.ring(None);
            }
        }
        // Who came before it was over has it still, and reads it to its end.
        if (trail.is_over() || !trail.listeners.any()) && hub.leave_trail(&trail) {
            return;
        }
        let pace = hub.clock.sleep_until(hub.clock.now() + PACE);
        tokio::select! {
            biased;
            () = trail.bell.rang() => {}
            () = hub.clock.sleep_until(hub.next_trail_look()) => {}
        }
        pace.await;
    }
}

/// A reader may claim to have seen what was never there: the others must not be led astray by it.
async fn verify(hub: &Hub, trail: &Trail) -> Result<(), StoreError> {
    let (verified, last) = {
        let seen = trail.lock();
        (seen.verified, seen.last)
    };
    if !verified {
        let row = hub.store.journal_after(trail.org, trail.run, last.saturating_sub(1), 1).await?;
        {
            let mut seen = trail.lock();
            seen.last = if row.first().is_some_and(|row| row.seq == last) { last } else { 0 };
            seen.verified = true;
        }
        trail.listeners.wake();
    }
    Ok(())
}

type Stand = (RunStatus, Option<Millis>);

async fn look(hub: &Hub, trail: &Trail, known: &mut Option<Stand>) -> Result<(), StoreError> {
    // The row before the journal: when it says that the run has ended, the journal has the end.
    let run = hub.store.runs_by_id(trail.org, &[trail.run]).await?.pop();
    verify(hub, trail).await?;
    let mut last = trail.lock().last;
    loop {
        let events = hub.store.journal_after(trail.org, trail.run, last, PAGE).await?;
        let full = events.len() == PAGE as usize;
        last = events.last().map_or(last, |event| event.seq);
        trail.push(events.iter().map(|event| (event.seq, event::row(trail.run, event).map(Arc::from))).collect());
        if !full {
            break;
        }
    }
    let over = run.as_ref().is_none_or(|run| run.status.is_terminal());
    let stand = run.as_ref().map(|run| (run.status, run.wake_at));
    let text = run.as_ref().filter(|_| stand != *known).and_then(|run| standing(run, *known, hub.clock.now()));
    *known = stand.or(*known);
    {
        let mut seen = trail.lock();
        if seen.caught_up && text.is_none() && !over {
            return Ok(());
        }
        seen.caught_up = true;
        seen.over = over;
        seen.state = State { version: seen.state.version + 1, text: text.map(Arc::from) };
    }
    trail.listeners.wake();
    Ok(())
}

/// The event of how a run stands; its end is told by its journal.
fn standing(run: &RunSummary, known: Option<Stand>, now: Millis) -> Option<String> {
    let (kind, at) = match run.status {
        RunStatus::Queued => ("run.queued", if known.is_some() { now } else { run.created_at }),
        RunStatus::Running if known.is_some_and(|(before, _)| before != RunStatus::Queued) => ("run.resumed", now),
        RunStatus::Running => ("run.started", run.started_at.unwrap_or(now)),
        RunStatus::Waiting | RunStatus::Paused => ("run.waiting", now),
        _ => return None,
    };
    Some(event::run(kind, at, run))
}
