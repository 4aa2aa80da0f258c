//! `mainspring run FILE` and `--resume`: what to run, where, and from which inputs.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use mainspring_engine::{LoadedPlan, Start as Wanted};
use mainspring_model::duration;
use mainspring_model::flow::Priority;
use mainspring_model::id::{Owner, RunId};
use mainspring_model::plan::{Plan, StepKind};
use mainspring_model::run::RunStatus;
use serde_json::Value;

use super::line::Columns;
use super::outcome::{self, End};
use super::screen::Screen;
use super::{drive, follow, get};
use crate::cli::api::Api;
use crate::cli::document::{Document, Stdin};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Cx, Format};
use crate::cli::plan_file::Saved;
use crate::cli::serve::Egress;
use crate::cli::{inputs, place, plan_file, problems};

#[derive(Args, Debug)]
pub(super) struct Start {
    /// The plan file, YAML or JSON; `-` reads standard input.
    #[arg(value_name = "FILE", required_unless_present = "resume", conflicts_with = "resume")]
    file: Option<String>,
    /// An input: JSON when it reads as JSON, text otherwise. `name=@file` reads a file.
    #[arg(short = 'i', long = "input", value_name = "NAME=VALUE", conflicts_with = "resume")]
    input: Vec<String>,
    /// All inputs as one JSON or YAML object; `-` reads standard input. Single inputs win over it.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    inputs: Option<String>,
    /// Print the finished run as one JSON document, as -o json.
    #[arg(long)]
    json: bool,
    /// Print each event as a line of JSON while the run goes on.
    #[arg(long)]
    events: bool,
    /// Cancel the run when it has not ended after this long (30s, 5m, 2h), and exit with 7.
    #[arg(long, value_name = "DURATION", value_parser = limit)]
    timeout: Option<Duration>,
    /// Go on with a run that was left or whose process died: its id, or `last` for the newest one that has not ended.
    #[arg(long, value_name = "RUN")]
    resume: Option<String>,
    /// Which queued runs go first: low, normal or high. The plan's own unless given.
    #[arg(long, value_name = "low|normal|high", value_parser = priority, conflicts_with = "resume")]
    priority: Option<Priority>,
    /// Where the plan's requests may go when it runs in this process. `dev` allows loopback: whoever runs a file here could
    /// call it anyway.
    #[arg(long, value_enum, value_name = "MODE", default_value = "dev")]
    egress: Egress,
}

impl Start {
    /// Whether anything says that a run is to be started.
    pub(super) fn is_given(&self) -> bool {
        self.file.is_some() || self.resume.is_some() || self.inputs.is_some() || !self.input.is_empty() || self.timeout.is_some()
    }
}

fn priority(text: &str) -> Result<Priority, String> {
    Priority::parse(text).ok_or_else(|| "it is low, normal or high".to_owned())
}

fn limit(text: &str) -> Result<Duration, String> {
    duration::parse_text(text)
}

/// Where the run goes on.
pub(crate) enum Place {
    /// In this process, which holds the engine lock.
    Here(Api),
    Server(Api),
}

impl Place {
    pub(super) fn api(&self) -> &Api {
        match self {
            Place::Here(api) | Place::Server(api) => api,
        }
    }
}

pub(super) async fn run(cx: &mut Cx, start: &Start) -> Result<Exit, Failure> {
    if start.json {
        cx.format = Format::Json;
    }
    // Everything that can be wrong with the arguments comes before anything is opened.
    let mut stdin = Stdin::default();
    let document = start.file.as_deref().map(|file| stdin.read(file, "FILE")).transpose()?;
    let given = inputs::gather(start.inputs.as_deref(), &start.input, &mut stdin)?;
    let place = place::to_run(cx, start.egress).await?;
    let end = match document {
        Some(document) => begin(cx, start, &place, document, given).await,
        None => go_on(cx, start, &place, start.resume.as_deref().unwrap_or("last")).await,
    };
    finish(cx, &place, end).await
}

/// Shows how a run ended, and leaves the place in order.
pub(super) async fn finish(cx: &Cx, place: &Place, end: Result<End, Failure>) -> Result<Exit, Failure> {
    let shown = match end {
        Ok(end) => outcome::show(cx, place, &end).await,
        Err(failure) => Err(failure),
    };
    // After a second Ctrl-C nothing is waited for.
    if !matches!(shown, Ok(Exit::Interrupted)) {
        leave(place).await?;
    }
    shown
}

/// Leaves the place in order.
pub(super) async fn leave(place: &Place) -> Result<(), Failure> {
    if let Place::Here(api) = place {
        if let Some(app) = api.app() {
            app.engine.drain(drive::DRAIN_FOR).await;
        }
        api.close().await;
    }
    Ok(())
}

async fn begin(cx: &Cx, start: &Start, place: &Place, document: Document, given: Value) -> Result<End, Failure> {
    let name = document.name.clone();
    let saved = plan_file::save(place.api(), document).await?;
    for note in &saved.notes {
        cx.note(problems::note(&name, note, cx.err_style).trim_end());
    }
    let columns = saved.checked.as_ref().map_or_else(|| default_columns(cx), |checked| columns(cx, &checked.plan));
    let screen = Screen::new(cx, start.events, columns);
    let Saved { id, version, checked, .. } = saved;
    match (place, checked) {
        (Place::Here(api), Some(checked)) => {
            let mut wanted = Wanted::manual(Owner::LOCAL, LoadedPlan { id, version, plan: Arc::new(checked.plan) }, given);
            wanted.priority = start.priority;
            drive::start(api, wanted, screen, start.timeout).await
        }
        _ => follow::start(place.api(), id, given, start.priority, screen, start.timeout).await,
    }
}

async fn go_on(cx: &Cx, start: &Start, place: &Place, text: &str) -> Result<End, Failure> {
    let api = place.api();
    let run = if text == "last" { newest_open(api).await? } else { super::parse(text)? };
    let known = get(api, run).await?;
    let status = known["status"].as_str().and_then(RunStatus::parse);
    if !status.is_some_and(RunStatus::is_terminal) {
        return drive_on(cx, place, run, start.events, start.timeout).await;
    }
    cx.note(&format!("run {run} had ended already; this is how"));
    Ok(End::of(run))
}

/// Goes on with a run that was made just now.
pub(super) async fn go_on_with(cx: &Cx, place: &Place, run: RunId) -> Result<End, Failure> {
    drive_on(cx, place, run, false, None).await
}

async fn drive_on(cx: &Cx, place: &Place, run: RunId, events: bool, limit: Option<Duration>) -> Result<End, Failure> {
    let screen = Screen::new(cx, events, default_columns(cx));
    match place {
        Place::Here(api) => drive::resume(api, run, screen, limit).await,
        Place::Server(api) => follow::run(api, run, screen, limit).await,
    }
}

/// The newest run that has not ended.
async fn newest_open(api: &Api) -> Result<RunId, Failure> {
    let mut open: Vec<String> = Vec::new();
    for status in ["running", "queued", "waiting", "paused"] {
        let found = api.list("/api/runs", "runs", &[("status", status.to_owned())], 1).await?;
        open.extend(found.first().and_then(|run| run["id"].as_str()).map(str::to_owned));
    }
    // Ids sort by age.
    let newest = open.into_iter().max().and_then(|id| id.parse().ok());
    newest.ok_or_else(|| {
        Failure::new(Exit::NotFound, "NOT_FOUND", "every run has ended; there is none to go on with")
            .next("`mainspring run list` shows them")
    })
}

fn columns(cx: &Cx, plan: &Plan) -> Columns {
    let names: Vec<(&str, String)> = plan
        .steps
        .iter()
        .map(|step| match &step.kind {
            StepKind::Action(action) => (step.id.as_str(), format!("{}.{}", action.provider, action.action)),
            StepKind::Body(_) => (step.id.as_str(), String::new()),
        })
        .collect();
    Columns::of(names.iter().map(|(id, action)| (*id, action.as_str())), cx.width)
}

pub(super) fn default_columns(cx: &Cx) -> Columns {
    Columns { path: 16, action: 16, width: cx.width }
}
