//! How a list is kept: what is looked at when, and what of it is told.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mainspring_model::clock::Millis;
use mainspring_model::id::{PlanId, RunId, ScheduleId};
use mainspring_model::run::{RunStatus, RunSummary};
use mainspring_model::store::{Paging, RunFilter, ScheduleRecord, StoreError};

use super::event;
use super::hub::Hub;
use super::list::{About, Entry, List};
use super::people::WINDOW;
use super::states::States;

/// How long a list goes on without a reader, so that one that was cut off finds what it missed, in milliseconds.
const LINGER: Millis = 60_000;
/// At the least between two looks, in milliseconds.
const PACE: Millis = 20;
/// How much further back a look at everything goes than the one before, in milliseconds: a commit may be seen after later ones.
const OVERLAP: Millis = 5_000;
/// More changes than this between two looks are not told one by one.
const MOST_CHANGES: u32 = 5_000;
/// Runs that go on and are looked at one by one.
const MOST_GOING: usize = 500;

/// Looks whenever somebody rings and now and then by itself, until nobody has listened for a while.
pub async fn follow(hub: Arc<Hub>, list: Arc<List>) {
    let mut looker = Looker { states: States::from(list.floor), schedules: None, last_full: list.floor, begun: false, broken: false };
    let mut heard = hub.clock.now();
    // Runs that rang and could not be looked at.
    let mut owed = list.bell.take();
    owed.all = true;
    loop {
        let rung = list.bell.take();
        owed.runs.extend(rung.runs);
        owed.all |= rung.all;
        let runs: Vec<RunId> = owed.runs.iter().copied().collect();
        match looker.look(&hub, &list, &runs, owed.all).await {
            Ok(()) => owed = Default::default(),
            Err(error) => {
                owed.all = true;
                if !hub.breathe(&error).await {
                    return;
                }
            }
        }
        let now = hub.clock.now();
        if list.listeners.any() {
            heard = now;
        } else if now - heard > LINGER && hub.leave_list(&list) {
            return;
        }
        let pace = hub.clock.sleep_until(now + PACE);
        tokio::select! {
            biased;
            () = list.bell.rang() => {}
            () = hub.clock.sleep_until(hub.next_look()) => owed.all |= !hub.terms.alone,
        }
        pace.await;
    }
}

struct Looker {
    states: States,
    /// As they were seen last; `None` before the first look.
    schedules: Option<HashMap<ScheduleId, ScheduleRecord>>,
    last_full: Millis,
    begun: bool,
    /// More changed than is told one by one: the next entries are what readers begin anew with.
    broken: bool,
}

impl Looker {
    async fn look(&mut self, hub: &Hub, list: &List, runs: &[RunId], all: bool) -> Result<(), StoreError> {
        let now = hub.clock.now();
        let mut seen: Vec<RunSummary> = Vec::new();
        if !self.begun {
            seen.extend(self.begin(hub, list).await?);
            self.begun = true;
        }
        if all {
            let since = (self.last_full - OVERLAP).max(list.floor);
            let changed = hub.store.runs_changed(list.org, since, MOST_CHANGES).await?;
            self.broken = changed.len() >= MOST_CHANGES as usize;
            seen.extend(changed);
            seen.extend(hub.store.runs_by_id(list.org, &self.states.going(MOST_GOING)).await?);
            self.last_full = now;
        }
        if !runs.is_empty() {
            seen.extend(hub.store.runs_by_id(list.org, runs).await?);
        }
        let mut told = Vec::new();
        for run in &seen {
            for (kind, at) in self.states.see(run, now) {
                told.push((at, Entry { about: About::Run(run.plan_id), text: event::run(kind, at, run).into() }));
                if let Some(notice) = event::notice(run).filter(|_| kind == "run.finished") {
                    told.push((at, Entry { about: About::Notice(run.plan_id), text: notice.into() }));
                }
            }
        }
        // Of several runs, what happened first is told first; the order within a run stays.
        told.sort_by_key(|(at, _)| *at);
        if std::mem::take(&mut self.broken) {
            list.interrupt();
        } else {
            list.publish(told.into_iter().map(|(_, entry)| entry).collect());
        }
        if all {
            self.look_at_notifications(hub, list).await?;
        }
        if list.of_schedules.load(Ordering::Acquire) > 0 || self.schedules.is_some() {
            self.look_at_schedules(hub, list, now).await?;
        }
        Ok(())
    }

    /// What goes on already, so that it is told how it goes on.
    async fn begin(&mut self, hub: &Hub, list: &List) -> Result<Vec<RunSummary>, StoreError> {
        let mut new = Vec::new();
        for status in [RunStatus::Queued, RunStatus::Running, RunStatus::Waiting] {
            let filter = RunFilter { status: Some(status), ..RunFilter::default() };
            let page = hub.store.list_runs(list.org, &filter, &Paging { limit: 200, cursor: None }).await?;
            for run in page.items {
                if run.created_at < list.floor {
                    self.states.learn(&run);
                } else {
                    new.push(run);
                }
            }
        }
        Ok(new)
    }

    /// They are told by their owner's rules, and delivered with a ring of the bell.
    async fn look_at_notifications(&self, hub: &Hub, list: &List) -> Result<(), StoreError> {
        let people = list.people.all();
        if people.is_empty() {
            return Ok(());
        }
        let unread = hub.store.unread_of(list.org, &people, WINDOW).await?;
        let news = list.people.news(&people, unread);
        list.publish(
            news.iter().map(|one| Entry { about: About::Notification(one.owner.user), text: event::notification(one).into() }).collect(),
        );
        Ok(())
    }

    async fn look_at_schedules(&mut self, hub: &Hub, list: &List, now: Millis) -> Result<(), StoreError> {
        let seen = hub.store.list_schedules(list.org).await?;
        let seen: HashMap<ScheduleId, ScheduleRecord> = seen.into_iter().map(|schedule| (schedule.id, schedule)).collect();
        if let Some(known) = &self.schedules {
            let mut told: Vec<(PlanId, String)> = Vec::new();
            for (id, new) in &seen {
                let kinds = match known.get(id) {
                    None => vec!["schedule.created"],
                    Some(old) => changes(old, new),
                };
                told.extend(kinds.into_iter().map(|kind| (new.plan, event::schedule(kind, now, new))));
            }
            let gone = known.values().filter(|schedule| !seen.contains_key(&schedule.id));
            told.extend(gone.map(|schedule| (schedule.plan, event::schedule("schedule.removed", now, schedule))));
            list.publish(told.into_iter().map(|(plan, text)| Entry { about: About::Schedule(plan), text: text.into() }).collect());
        }
        self.schedules = Some(seen);
        Ok(())
    }
}

fn changes(old: &ScheduleRecord, new: &ScheduleRecord) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    if (&old.expression, &old.timezone, old.misfire) != (&new.expression, &new.timezone, new.misfire) {
        kinds.push("schedule.changed");
    }
    if old.last_due != new.last_due {
        kinds.push("schedule.fired");
    }
    let well = |status: Option<RunStatus>| status.is_none_or(|status| !status.is_terminal() || status == RunStatus::Success);
    let is_news = old.last_status != new.last_status || old.last_due != new.last_due;
    if is_news && !well(new.last_status) {
        kinds.push("schedule.failed");
    }
    kinds
}
