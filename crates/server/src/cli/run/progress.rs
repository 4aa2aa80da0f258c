//! A run's progress as lines: a fold over its updates, without a terminal, a clock or a colour.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use mainspring_model::clock::Millis;
use mainspring_model::event::{AttemptStatus, Attempted, Event, EventBody, TimeLimit};
use mainspring_model::fault::Fault;
use mainspring_model::wait::WaitKind;

use super::line::{Line, Mark};
use super::update::Update;
use crate::cli::text::{count, moment, plain, preview, short, span};

/// Successes of one loop that get a line of their own; the rest is counted. Failures always get one.
const SHOWN: u64 = 20;
/// Running steps shown at once.
const MOST_LIVE: usize = 8;
/// Of one loop.
const LIVE_IN_LOOP: usize = 3;
/// Characters of a preview that are kept; a line is cut to the terminal later.
const PREVIEW: usize = 200;

/// What runs and what was seen so far.
#[derive(Default)]
pub(crate) struct Progress {
    running: IndexMap<String, Running>,
    loops: BTreeMap<String, Loop>,
    /// When a waiting step goes on, the earliest.
    waits: BTreeMap<String, Millis>,
    ending: bool,
}

struct Running {
    attempt: u32,
    action: String,
    since: Millis,
}

#[derive(Default)]
struct Loop {
    items: Option<u32>,
    ended: u64,
    failed: u64,
    shown: u64,
    hidden: u64,
}

impl Progress {
    /// The lines that an update adds for good.
    pub(crate) fn see(&mut self, update: &Update) -> Vec<Line> {
        match update {
            Update::Attempting { path, attempt, action, at } => {
                self.waits.remove(path);
                self.running.insert(path.clone(), Running { attempt: *attempt, action: action.clone(), since: *at });
                Vec::new()
            }
            Update::Event(event) => self.event(event),
        }
    }

    /// What runs at this moment, for a terminal that can be rewritten.
    pub(crate) fn live(&self, now: Millis) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let mut in_loop: BTreeMap<&str, usize> = BTreeMap::new();
        for (path, running) in &self.running {
            if let Some(of) = loop_of(path) {
                *in_loop.entry(of).or_default() += 1;
                if in_loop[of] > LIVE_IN_LOOP {
                    continue;
                }
            }
            let text = if running.attempt > 1 { format!("attempt {}", running.attempt) } else { String::new() };
            let took = Some(u64::try_from(now.saturating_sub(running.since).max(0)).unwrap_or(0) * 1_000);
            lines.push(Line { mark: Mark::Running, path: path.clone(), action: running.action.clone(), took, text });
        }
        for (path, until) in &self.waits {
            let text = format!("waits until {} ({})", moment(*until), span(until.saturating_sub(now)));
            lines.push(Line { mark: Mark::Waiting, path: path.clone(), action: String::new(), took: None, text });
        }
        let more = lines.len().saturating_sub(MOST_LIVE);
        lines.truncate(MOST_LIVE);
        if more > 0 {
            lines.push(Line::note(format!("… and {more} more")));
        }
        for (of, running) in in_loop {
            lines.push(Line {
                mark: Mark::Running,
                path: of.to_owned(),
                action: String::new(),
                took: None,
                text: self.loop_state(of, running),
            });
        }
        lines
    }

    /// When the earliest waiting step goes on, if nothing runs.
    pub(crate) fn waits_until(&self) -> Option<Millis> {
        if self.running.is_empty() { self.waits.values().min().copied() } else { None }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.ending
    }

    fn loop_state(&self, of: &str, running: usize) -> String {
        let seen = self.loops.get(of);
        let ended = count(seen.map_or(0, |seen| seen.ended));
        let of = seen.and_then(|seen| seen.items).map(|items| format!(" of {}", count(items.into()))).unwrap_or_default();
        let failed = seen.map_or(0, |seen| seen.failed);
        let failed = if failed > 0 { format!(", {} failed", count(failed)) } else { String::new() };
        format!("{ended}{of} done{failed}, {} running", count(running as u64))
    }

    fn event(&mut self, event: &Event) -> Vec<Line> {
        let at = event.at;
        match &event.body {
            EventBody::Attempted(attempted) => self.attempted(attempted, at),
            EventBody::Skipped { path } => self.step(Line::of(Mark::Skipped, path, "skipped: its \"if\" is false")),
            EventBody::Opened { path, items, .. } => {
                self.loops.entry(path.clone()).or_default().items = Some(*items);
                Vec::new()
            }
            EventBody::Waiting { path, until, .. } => {
                self.running.shift_remove(path);
                self.waits.insert(path.clone(), *until);
                let text = format!("waits until {} ({})", moment(*until), span(until.saturating_sub(at)));
                vec![Line::of(Mark::Waiting, path, &text)]
            }
            EventBody::Held { path, until, .. } => {
                self.running.shift_remove(path);
                self.waits.insert(path.clone(), *until);
                let text = format!("waits for its turn (rate), until {} ({})", moment(*until), span(until.saturating_sub(at)));
                vec![Line::of(Mark::Waiting, path, &text)]
            }
            EventBody::Called { path, child, .. } => {
                self.running.shift_remove(path);
                vec![Line::of(Mark::Waiting, path, &format!("waits for run {child}"))]
            }
            EventBody::Awaited { path, wait, .. } => {
                self.running.shift_remove(path);
                let until = wait.until.map(|until| format!(", until {} at the latest", moment(until))).unwrap_or_default();
                let what = match wait.kind {
                    WaitKind::Event => format!("waits for the event \"{}\"", wait.topic.trim_start_matches("event:")),
                    WaitKind::Callback => "waits for its callback".to_owned(),
                    WaitKind::Triggers => format!("waits for the triggers {}", wait.wanted().collect::<Vec<_>>().join(", ")),
                    WaitKind::Approval => format!("waits for approval {}", wait.topic.trim_start_matches("approval:")),
                };
                vec![Line::of(Mark::Waiting, path, &plain(&format!("{what}{until}")))]
            }
            EventBody::BodyFailed { path, error, retry_at, .. } => match retry_at {
                Some(retry_at) => {
                    vec![Line::of(Mark::Retrying, path, &format!("again in {}: {}", span(retry_at.saturating_sub(at)), fault(error)))]
                }
                None => self.step(Line::of(Mark::Failed, path, &fault(error))),
            },
            EventBody::BodyTimedOut { path, .. } => vec![Line::of(Mark::Failed, path, "took longer than its timeout")],
            EventBody::CancelRequested { by } => vec![Line::note(format!("cancelled by {}", plain(by)))],
            EventBody::TimedOut { limit } => {
                let limit = match limit {
                    TimeLimit::Timeout => "timeout",
                    TimeLimit::Deadline => "deadline",
                };
                vec![Line::note(format!("the plan's {limit} passed"))]
            }
            EventBody::Finished(_) => self.finish(),
            EventBody::Started(_) | EventBody::Pass { .. } | EventBody::Closed { .. } => Vec::new(),
        }
    }

    fn attempted(&mut self, attempted: &Attempted, at: Millis) -> Vec<Line> {
        self.running.shift_remove(&attempted.path);
        self.waits.remove(&attempted.path);
        let error = attempted.error.as_ref().map(fault).unwrap_or_default();
        let (mark, text) = match attempted.status {
            AttemptStatus::Success => (Mark::Done, result(attempted)),
            AttemptStatus::Error => (Mark::Failed, error),
            AttemptStatus::Cancelled => (Mark::Cancelled, if error.is_empty() { "cancelled".to_owned() } else { error }),
            AttemptStatus::Retrying => {
                self.waits.extend(attempted.retry_at.map(|retry_at| (attempted.path.clone(), retry_at)));
                let wait = attempted.retry_at.map(|retry_at| format!(" in {}", span(retry_at.saturating_sub(at)))).unwrap_or_default();
                (Mark::Retrying, format!("attempt {}{wait}: {error}", attempted.attempt + 1))
            }
        };
        let action = format!("{}.{}", attempted.provider, attempted.action);
        self.step(Line { mark, path: attempted.path.clone(), action, took: Some(attempted.latency_us), text })
    }

    /// A step's line, unless its loop has shown enough of them.
    fn step(&mut self, line: Line) -> Vec<Line> {
        self.running.shift_remove(&line.path);
        let Some(of) = loop_of(&line.path).map(str::to_owned) else { return vec![line] };
        let is_item = line.path.ends_with(']') && !line.path[of.len()..].contains('.');
        let seen = self.loops.entry(of.clone()).or_default();
        if is_item && !matches!(line.mark, Mark::Retrying) {
            seen.ended += 1;
            seen.failed += u64::from(matches!(line.mark, Mark::Failed));
        }
        let mut lines = Vec::new();
        if matches!(line.mark, Mark::Done | Mark::Skipped) && seen.shown >= SHOWN {
            seen.hidden += 1;
        } else {
            seen.shown += 1;
            lines.push(line);
        }
        if seen.items.is_some_and(|items| seen.ended >= u64::from(items)) {
            lines.extend(seen.rest(&of));
        }
        lines
    }

    fn finish(&mut self) -> Vec<Line> {
        self.ending = true;
        self.running.clear();
        self.waits.clear();
        self.loops.iter_mut().filter_map(|(of, seen)| seen.rest(of)).collect()
    }
}

impl Loop {
    /// The line that stands for those without one.
    fn rest(&mut self, of: &str) -> Option<Line> {
        let hidden = std::mem::take(&mut self.hidden);
        (hidden > 0).then(|| Line::of(Mark::Done, of, &format!("… and {} more that ended well", count(hidden))))
    }
}

/// The outermost loop that a path is in: `outer` of `outer[3].inner[0]`.
fn loop_of(path: &str) -> Option<&str> {
    path.split_once('[').map(|(of, _)| of)
}

fn fault(fault: &Fault) -> String {
    short(&plain(&fault.to_string()), PREVIEW)
}

fn result(attempted: &Attempted) -> String {
    if let Some(blob) = &attempted.blob {
        return short(&plain(&blob.preview), PREVIEW);
    }
    match (attempted.output.is_null(), attempted.message.is_empty()) {
        (true, false) => short(&plain(&attempted.message), PREVIEW),
        _ => preview(&attempted.output, PREVIEW),
    }
}
