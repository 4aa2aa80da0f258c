//! `mainspring plan versions` and its neighbours: history, differences, drafts, and runs that go on by another version.

use std::path::Path;

use ::http::Method;
use clap::Args;
use mainspring_model::plan::diff::{Colour, Diff};
use serde_json::{Value, json};

use super::api::Api;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::plan::{Named, find};
use super::plan_folder::is_path;
use super::table::Rows;
use super::text::{moment_of, plain};

#[derive(Args, Debug)]
pub(crate) struct Versions {
    /// The plan's name or id.
    #[arg(value_name = "PLAN")]
    plan: String,
    /// At most so many.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    limit: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Between {
    /// The plan's name or id; or a folder of plan files, or one of them.
    #[arg(value_name = "PLAN|PATH")]
    plan: String,
    /// The older version; the one before the newest when it is left out.
    #[arg(value_name = "FROM")]
    from: Option<u32>,
    /// The newer version; the newest when it is left out, the draft too.
    #[arg(value_name = "TO")]
    to: Option<u32>,
}

impl Between {
    pub(crate) fn is_of_files(&self) -> bool {
        self.from.is_none() && is_path(&self.plan)
    }

    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.plan)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Rollback {
    /// The plan's name or id.
    #[arg(value_name = "PLAN")]
    plan: String,
    /// The version whose content becomes the newest.
    #[arg(id = "to", value_name = "VERSION")]
    version: u32,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Publish {
    /// The plan's name or id.
    #[arg(value_name = "PLAN")]
    plan: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct MoveRuns {
    /// The plan's name or id.
    #[arg(value_name = "PLAN")]
    plan: String,
    /// The version that they are to go on by; the published one when it is left out.
    #[arg(long, value_name = "N")]
    to: Option<u32>,
    /// Only say which could.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn versions(cx: &Cx, api: &Api, wanted: &Versions) -> Result<Exit, Failure> {
    let plan = find(api, &wanted.plan).await?;
    let versions = api.list(&format!("{}/versions", path(&plan)), "versions", &[], wanted.limit.max(1)).await?;
    cx.show(&json!({ "versions": versions }), |style, width| {
        let mut rows = Rows::new(["version", "", "saved", "by", "note"], "there is no version");
        for version in &versions {
            let standing = match (&version["current"], &version["draft"], &version["published_at"]) {
                (Value::Bool(true), ..) => "runs",
                (_, Value::Bool(true), _) => "draft",
                (_, _, Value::Null) => "given up",
                _ => "",
            };
            let text = |field: &str| version[field].as_str().map(plain).unwrap_or_default().into_owned();
            rows.add([
                version["version"].to_string(),
                standing.to_owned(),
                moment_of(&version["created_at"]),
                text("by_name"),
                text("note"),
            ]);
        }
        rows.render(width, style)
    })
}

pub(crate) async fn diff(cx: &Cx, api: &Api, wanted: &Between) -> Result<Exit, Failure> {
    let plan = find(api, &wanted.plan).await?;
    let path = path(&plan);
    let (from, to) = match (wanted.from, wanted.to) {
        (Some(from), Some(to)) => (from, to),
        (from, _) => {
            let versions = api.list(&format!("{path}/versions"), "versions", &[], 2).await?;
            let numbers: Vec<u32> = versions.iter().filter_map(|one| u32::try_from(one["version"].as_u64()?).ok()).collect();
            let newest = numbers.first().copied().unwrap_or(1);
            (from.or(numbers.get(1).copied()).unwrap_or(newest), newest)
        }
    };
    let read = async |number: u32| api.get(&format!("{path}/versions/{number}"), &[]).await.map(|mut answer| answer["plan"].take());
    let changes = Diff::between(&read(from).await?, &read(to).await?);
    let value = json!({ "from": from, "to": to, "changes": changes.changes });
    cx.show(&value, |style, _| {
        let head = style.dim(&format!("version {from} → {to}"));
        let text = changes.text(if style.color { Colour::Ansi } else { Colour::Plain });
        if text.is_empty() { format!("{head}: no change\n") } else { format!("{head}\n{text}") }
    })
}

pub(crate) async fn rollback(cx: &Cx, api: &Api, wanted: &Rollback) -> Result<Exit, Failure> {
    let plan = find(api, &wanted.plan).await?;
    let body = json!({ "version": wanted.version, "note": wanted.note });
    let answer = api.send(Method::POST, &format!("{}/rollback", path(&plan)), &body).await?;
    shown(cx, &answer, &format!("has the content of version {}", wanted.version))
}

pub(crate) async fn publish(cx: &Cx, api: &Api, wanted: &Publish) -> Result<Exit, Failure> {
    let plan = find(api, &wanted.plan).await?;
    // The draft that was there when it was looked up: another one is not published unseen.
    let body = json!({ "version": plan["draft"], "note": wanted.note });
    let answer = api.send(Method::POST, &format!("{}/publish", path(&plan)), &body).await?;
    shown(cx, &answer, "is published")
}

pub(crate) async fn discard(cx: &Cx, api: &Api, named: &Named) -> Result<Exit, Failure> {
    let plan = find(api, &named.plan).await?;
    let answer = api.send(Method::POST, &format!("{}/discard", path(&plan)), &json!({})).await?;
    shown(cx, &answer, "runs; the draft is given up")
}

pub(crate) async fn detach(cx: &Cx, api: &Api, named: &Named) -> Result<Exit, Failure> {
    let plan = find(api, &named.plan).await?;
    let answer = api.send(Method::POST, &format!("{}/detach", path(&plan)), &json!({})).await?;
    shown(cx, &answer, "is changed by hand from now on")
}

pub(crate) async fn files(cx: &Cx, api: &Api) -> Result<Exit, Failure> {
    let answer = api.get("/api/plan-files", &[]).await?;
    let files = answer["files"].as_array().cloned().unwrap_or_default();
    cx.show(&answer, |style, width| {
        if answer["followed"] != true {
            return "no folder of plan files is followed; a server does with --plans DIR\n".to_owned();
        }
        let mut rows = Rows::new(["file", "state", "plan", "version"], "there is no plan file");
        let mut wrong = String::new();
        for file in &files {
            let text = |field: &str| file[field].as_str().map(plain).unwrap_or_default().into_owned();
            rows.add([
                text("file"),
                text("state"),
                text("name"),
                file["version"].as_u64().map(|version| version.to_string()).unwrap_or_default(),
            ]);
            for error in file["errors"].as_array().into_iter().flatten() {
                let place = match (error["line"].as_u64(), error["column"].as_u64()) {
                    (Some(line), Some(column)) => format!(":{line}:{column}"),
                    _ => String::new(),
                };
                let said = |field: &str| error[field].as_str().map(plain).unwrap_or_default().into_owned();
                wrong.push_str(&format!("{}{place}: {} {}\n", text("file"), style.red(&said("code")), said("message")));
                if error["fix"].is_string() {
                    wrong.push_str(&format!("    write {}\n", said("fix")));
                }
            }
        }
        let trouble = answer["trouble"].as_str().map(|trouble| format!("{}\n", style.red(&plain(trouble)))).unwrap_or_default();
        format!("{trouble}{}{wrong}", rows.render(width, style))
    })
}

pub(crate) async fn move_runs(cx: &Cx, api: &Api, wanted: &MoveRuns) -> Result<Exit, Failure> {
    let plan = find(api, &wanted.plan).await?;
    let (mut moved, mut refused, mut cursor) = (Vec::new(), Vec::new(), Value::Null);
    let to = loop {
        let body = json!({ "to": wanted.to, "dry_run": wanted.dry_run, "cursor": cursor });
        let mut answer = api.send(Method::POST, &format!("{}/move-runs", path(&plan)), &body).await?;
        for (list, from) in [(&mut moved, "moved"), (&mut refused, "refused")] {
            list.extend(answer[from].as_array_mut().map(std::mem::take).into_iter().flatten());
        }
        cursor = answer["next_cursor"].take();
        if cursor.is_null() {
            break answer["to"].take();
        }
    };
    let value = json!({ "to": to, "dry_run": wanted.dry_run, "moved": moved, "refused": refused });
    cx.show(&value, |style, width| {
        let what = if wanted.dry_run { "could move" } else { "moved" };
        let mut text = format!("{} {} {what} to version {to}\n", style.green("✓"), counted(moved.len()));
        if !refused.is_empty() {
            let mut rows = Rows::new(["run", "from", "stays because"], "");
            for run in &refused {
                let field = |name: &str| run[name].as_str().map(plain).unwrap_or_default().into_owned();
                rows.add([field("run_id"), run["from"].to_string(), field("reason")]);
            }
            text.push_str(&rows.render(width, style));
        }
        text
    })
}

fn counted(runs: usize) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

fn path(plan: &Value) -> String {
    format!("/api/plans/{}", plan["id"].as_str().unwrap_or_default())
}

fn shown(cx: &Cx, answer: &Value, what: &str) -> Result<Exit, Failure> {
    let plan = &answer["plan"];
    cx.show(plan, |style, _| {
        let name = plan["name"].as_str().map(plain).unwrap_or_default();
        format!("{} {name} version {} {what}\n", style.green("✓"), plan["version"])
    })
}
