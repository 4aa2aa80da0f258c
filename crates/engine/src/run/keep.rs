//! What a replay takes over of a run's journal: what ended well and does not follow from what is to run again.
//!
//! The rest is a journal too, of a run that has come less far, so the new run goes on from there by the ordinary rules.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mainspring_model::action::Effect;
use mainspring_model::event::{AttemptStatus, Attempted, Event, EventBody, Mark};
use mainspring_model::fault::Effected;
use mainspring_model::plan::{ListRole, Loop, OnError, OnItemError, Plan, Step, StepIx, StepKind};
use mainspring_model::run::RunStatus;
use serde_json::Value;

use super::path;

/// What runs again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// All of it: nothing is taken over.
    All,
    /// What failed, what was dropped, and what did not run.
    Failed,
    /// This step of the top list, what follows from it, and what failed.
    From(String),
}

/// A part of a journal.
#[derive(Debug, Default)]
pub struct Kept {
    /// In the order in which they happened.
    pub events: Vec<EventBody>,
    /// Paths whose last attempt may have reached its service although nobody heard: they keep their idempotency keys.
    pub unknown: Vec<String>,
    /// Paths of all attempts, kept or not.
    pub attempted: HashSet<String>,
}

/// Why nothing can be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unkept {
    /// The top list has no such step.
    NoStep(String),
    /// A `once` step was in flight when its process died: somebody has to say what became of it.
    Undecided(String),
    /// Somebody said what became of a step of which nothing is open.
    NotOpen(String),
}

/// The part of `events` that stays. `decided` says of `once` steps that died in flight what they gave, or `None` for another try.
///
/// # Errors
/// See [`Unkept`].
pub fn keep(plan: &Plan, events: &[Event], again: &Again, decided: &BTreeMap<String, Option<Value>>) -> Result<Kept, Unkept> {
    let mut dropped = match again {
        Again::All => return Ok(Kept::default()),
        Again::Failed => HashSet::new(),
        Again::From(id) => with_dependents(plan, id)?,
    };
    let undone = undone(plan, events);
    for path in &undone {
        dropped.extend(with_dependents(plan, outermost(path))?);
    }
    let mut journal = Journal { plan, dropped, restarts: restarts(events), ended: ended(events), gave_up: HashSet::new() };
    journal.gave_up = journal.handlers_that_failed(events);
    // What a run that succeeded left behind is there; its replay does not leave it again.
    let succeeded = events.iter().any(|event| matches!(&event.body, EventBody::Finished(ending) if ending.status == RunStatus::Success));
    let (mut kept, mut unheard) = (Kept::default(), BTreeSet::new());
    let reserved = last_reserved(events);
    for (place, event) in events.iter().enumerate() {
        // What an attempt that is dropped used of the budget goes with it.
        if matches!(&event.body, EventBody::Started(started) if reserved.get(started.path.as_str()).is_some_and(|last| started.reserved.is_some() && *last != place))
        {
            continue;
        }
        if journal.stays(place, &event.body) {
            kept.events.push(if succeeded { without_state(&event.body) } else { event.body.clone() });
        }
        if let EventBody::Attempted(attempted) = &event.body {
            let is_unknown = attempted.error.as_ref().is_some_and(|error| error.effect == Effected::Unknown)
                // With the key under which it was done, a service would say that it still is.
                && !undone.contains(attempted.path.as_str());
            if is_unknown {
                unheard.insert(attempted.path.clone())
            } else {
                unheard.remove(&attempted.path)
            };
            kept.attempted.insert(attempted.path.clone());
        }
    }
    kept.unknown.extend(unheard);
    let open = journal.open_once(events);
    if let Some(other) = decided.keys().find(|path| !open.iter().any(|started| started == *path)) {
        return Err(Unkept::NotOpen(other.clone()));
    }
    for started in open {
        match decided.get(&started) {
            None => return Err(Unkept::Undecided(started)),
            Some(None) => kept.unknown.push(started),
            Some(Some(output)) => kept.events.extend(journal.decided(&started, output)),
        }
    }
    Ok(kept)
}

/// An entry without what it would have its run leave behind.
fn without_state(body: &EventBody) -> EventBody {
    let mut body = body.clone();
    if let EventBody::Attempted(attempted) = &mut body
        && matches!(attempted.mark, Some(Mark::State(_)))
    {
        attempted.mark = None;
    }
    body
}

/// Paths whose effect was taken back: what they gave is no more, so they run again.
fn undone<'e>(plan: &Plan, events: &'e [Event]) -> HashSet<&'e str> {
    let ended = ended(events);
    let undone = ended.into_iter().filter(|(_, status)| *status == AttemptStatus::Success);
    let undone = undone.filter_map(|(path, _)| super::receipt::undone(plan, path));
    undone.collect()
}

fn outermost(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or(path)
}

/// A step of the top list and all that have an edge from it, directly or not.
fn with_dependents(plan: &Plan, id: &str) -> Result<HashSet<StepIx>, Unkept> {
    let first = plan.ids.get(id).copied().filter(|ix| plan.list(plan.step(*ix).list).role == ListRole::Top);
    let mut open = vec![first.ok_or_else(|| Unkept::NoStep(id.to_owned()))?];
    let mut all = HashSet::new();
    while let Some(ix) = open.pop() {
        if all.insert(ix) {
            open.extend(&plan.step(ix).dependents);
        }
    }
    Ok(all)
}

/// Where the bodies that began again did so last, by path.
fn restarts(events: &[Event]) -> HashMap<&str, usize> {
    let restarted = events.iter().enumerate().filter_map(|(place, event)| match &event.body {
        EventBody::BodyFailed { path, retry_at: Some(_), .. } => Some((path.as_str(), place)),
        _ => None,
    });
    restarted.collect()
}

/// How the last attempt of each path ended.
fn ended(events: &[Event]) -> HashMap<&str, AttemptStatus> {
    let ended = events.iter().filter_map(|event| match &event.body {
        EventBody::Attempted(attempted) => Some((attempted.path.as_str(), attempted.status)),
        _ => None,
    });
    ended.collect()
}

struct Journal<'a> {
    plan: &'a Plan,
    dropped: HashSet<StepIx>,
    restarts: HashMap<&'a str, usize>,
    ended: HashMap<&'a str, AttemptStatus>,
    /// Steps whose `on_error` list failed too.
    gave_up: HashSet<String>,
}

/// One part of a step's path.
struct Part<'a> {
    step: &'a Step,
    /// The path so far, without the item or pass of this part.
    path: &'a str,
    /// The next part is a step of this one's `on_error` list.
    handles: bool,
}

impl Journal<'_> {
    fn stays(&self, place: usize, body: &EventBody) -> bool {
        let path = match body {
            EventBody::Started(started) => &started.path,
            EventBody::Attempted(attempted) => &attempted.path,
            EventBody::Skipped { path }
            | EventBody::Opened { path, .. }
            | EventBody::BodyFailed { path, retry_at: None, .. }
            | EventBody::BodyTimedOut { path, .. }
            | EventBody::Pass { path, .. }
            | EventBody::Closed { path } => path,
            _ => return false,
        };
        let Some(parts) = self.parts(path) else { return false };
        if !self.belongs(&parts) || self.began_again(path, place) {
            return false;
        }
        if parts.iter().any(|part| part.handles && self.gave_up.contains(part.path)) {
            return false;
        }
        match body {
            // A body's own start bears its time limit; an attempt's goes with its end.
            EventBody::Started(started) => {
                let is_body = parts.last().is_some_and(|part| matches!(part.step.kind, StepKind::Body(_)));
                is_body || self.ended.get(started.path.as_str()) == Some(&AttemptStatus::Success)
            }
            EventBody::Attempted(attempted) => match attempted.status {
                AttemptStatus::Success => !matches!(attempted.mark, Some(Mark::Stop | Mark::StopPlain)),
                AttemptStatus::Error => self.is_handled(&parts),
                AttemptStatus::Retrying | AttemptStatus::Cancelled => false,
            },
            EventBody::BodyFailed { .. } => self.is_handled(&parts),
            EventBody::BodyTimedOut { path, .. } => {
                let retried = self.restarts.get(path.as_str()).is_some_and(|restart| *restart > place);
                !retried && self.is_handled(&parts)
            }
            _ => true,
        }
    }

    /// The steps of a path, outermost first.
    fn parts<'p>(&'p self, path: &'p str) -> Option<Vec<Part<'p>>> {
        let mut parts: Vec<Part<'_>> = Vec::new();
        let mut end = 0;
        for part in path::parse(path)? {
            let ix = *self.plan.ids.get(part.id)?;
            let step = self.plan.step(ix);
            if self.plan.undone_by(part.id).is_some() {
                return None;
            }
            if let (Some(outer), ListRole::StepError(of)) = (parts.last_mut(), self.plan.list(step.list).role) {
                outer.handles = self.plan.ids.get(&outer.step.id) == Some(&of);
            }
            let begin = end;
            end = path[begin..].find('.').map_or(path.len(), |dot| begin + dot + 1);
            parts.push(Part { step, path: &path[..begin + part.id.len()], handles: false });
        }
        Some(parts)
    }

    /// To the top list, and not to what runs again. The plan's own lists run once more, if they come to it.
    fn belongs(&self, parts: &[Part<'_>]) -> bool {
        let Some(outermost) = parts.first().map(|part| part.step) else { return false };
        let list = self.plan.list(outermost.list);
        list.role == ListRole::Top && !self.dropped.contains(&list.steps[outermost.place as usize])
    }

    fn began_again(&self, path: &str, place: usize) -> bool {
        let mut enclosing = path.match_indices('.').map(|(dot, _)| &path[..dot]);
        enclosing.any(|outer| self.restarts.get(outer).is_some_and(|restart| *restart > place))
    }

    /// A failure that some step around it answers for stays: what it answered with has run.
    fn is_handled(&self, parts: &[Part<'_>]) -> bool {
        parts.iter().any(|part| !part.handles && !self.gave_up.contains(part.path) && answers(part.step))
    }

    fn handlers_that_failed(&self, events: &[Event]) -> HashSet<String> {
        let mut all = HashSet::new();
        for event in events {
            let path = match &event.body {
                EventBody::Attempted(attempted) if attempted.status == AttemptStatus::Error => &attempted.path,
                EventBody::BodyFailed { path, retry_at: None, .. } | EventBody::BodyTimedOut { path, .. } => path,
                _ => continue,
            };
            let Some(parts) = self.parts(path) else { continue };
            let inmost = parts.iter().rposition(|part| part.handles);
            if let Some(place) = inmost
                && !parts[place + 1..].iter().any(|part| answers(part.step))
            {
                all.insert(parts[place].path.to_owned());
            }
        }
        all
    }

    /// What [`undecided`] finds, of the steps that do not run again anyway.
    fn open_once(&self, events: &[Event]) -> Vec<String> {
        let belongs = |path: &String| self.parts(path).is_some_and(|parts| self.belongs(&parts));
        undecided(events).into_iter().filter(belongs).collect()
    }

    /// The end that somebody gave a `once` step.
    fn decided(&self, path: &str, output: &Value) -> Option<EventBody> {
        let step = self.parts(path)?.last()?.step;
        let StepKind::Action(action) = &step.kind else { return None };
        Some(EventBody::Attempted(Box::new(Attempted {
            path: path.to_owned(),
            attempt: 1,
            status: AttemptStatus::Success,
            provider: action.provider.clone(),
            action: action.action.clone(),
            step_number: step.number,
            latency_us: 0,
            port: None,
            output: output.clone(),
            blob: None,
            message: "declared as done".to_owned(),
            metadata: serde_json::Map::new(),
            error: None,
            retry_at: None,
            effect: (action.effect != Effect::Read).then_some(action.effect),
            again: false,
            beside: Vec::new(),
            mark: None,
        })))
    }
}

/// Whether a step answers for a failure of its own or within it.
fn answers(step: &Step) -> bool {
    let goes_on = matches!(&step.looped, Loop::ForEach(each) if each.on_item_error == OnItemError::Continue);
    goes_on || step.error_handled || !matches!(step.on_error, OnError::Fail)
}

/// Where the last call of each path was reserved for.
fn last_reserved(events: &[Event]) -> HashMap<&str, usize> {
    let reserved = events.iter().enumerate().filter_map(|(place, event)| match &event.body {
        EventBody::Started(started) if started.reserved.is_some() => Some((started.path.as_str(), place)),
        _ => None,
    });
    reserved.collect()
}

/// `once` steps of a journal that were begun and did not end.
pub fn undecided(events: &[Event]) -> Vec<String> {
    let ended = ended(events);
    let mut open: Vec<String> = Vec::new();
    for event in events {
        if let EventBody::Started(started) = &event.body
            && started.once
            && !ended.contains_key(started.path.as_str())
            && !open.contains(&started.path)
        {
            open.push(started.path.clone());
        }
        // It waited for its turn, and was not called.
        if let EventBody::Held { path, .. } = &event.body {
            open.retain(|other| other != path);
        }
    }
    open
}
