//! `mainspring plan apply|push|pull`, and `diff` of files: plans in a repository and plans on a server, brought together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ::http::Method;
use clap::Args;
use mainspring_model::plan::diff::{Colour, Diff};
use mainspring_model::plan::{self, Format};
use serde_json::{Value, json};

use super::api::Api;
use super::document::{Document, Stdin};
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Cx, yaml};
use super::plan::document_of;
use super::plan_file::place;
use super::terminal::Style;
use super::text::plain;
use crate::plan_files::{is_plan_file, list};

#[derive(Args, Debug)]
pub(crate) struct Apply {
    /// Folders of plan files, or single ones.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Delete the plans that no file has. Plans that the server reads from its own files stay.
    #[arg(long)]
    prune: bool,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Why, in the history of each plan.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Push {
    /// Plan files, or folders of them.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Why, in the history of each plan.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Pull {
    /// Where the files are written. Files of the same plans are kept where nothing changed, with their comments.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Only these plans, by name.
    #[arg(value_name = "PLAN")]
    plans: Vec<String>,
}

/// More plans than anybody keeps in one folder.
const LOOK_THROUGH: usize = 10_000;

/// A plan file that the server would take.
struct Checked {
    path: PathBuf,
    name: String,
    /// As it would be stored.
    document: Value,
}

/// What becomes of one plan.
enum Step {
    Create(Checked),
    Update { id: String, file: Checked, diff: Diff },
    Delete { id: String, name: String },
}

pub(crate) async fn apply(cx: &Cx, api: &Api, wanted: &Apply) -> Result<Exit, Failure> {
    carry(cx, api, &wanted.paths, wanted.prune, wanted.dry_run, wanted.note.as_deref()).await
}

pub(crate) async fn push(cx: &Cx, api: &Api, wanted: &Push) -> Result<Exit, Failure> {
    carry(cx, api, &wanted.paths, false, false, wanted.note.as_deref()).await
}

/// What `apply` would do.
pub(crate) async fn compare(cx: &Cx, api: &Api, path: &Path) -> Result<Exit, Failure> {
    carry(cx, api, &[path.to_owned()], true, true, None).await
}

async fn carry(cx: &Cx, api: &Api, paths: &[PathBuf], prune: bool, dry_run: bool, note: Option<&str>) -> Result<Exit, Failure> {
    // All are checked before any is written.
    let files = checked(api, paths).await?;
    let plans = api.list("/api/plans", "plans", &[], LOOK_THROUGH).await?;
    let count = files.len();
    let steps = steps(files, &plans, prune)?;
    let told: Vec<Value> = steps.iter().map(told).collect();
    if !dry_run {
        for step in &steps {
            take(api, step, note).await?;
        }
    }
    let value = json!({ "dry_run": dry_run, "changes": told, "unchanged": count - steps.iter().filter(|step| !matches!(step, Step::Delete { .. })).count() });
    cx.show(&value, |style, _| {
        let mut text: String = steps.iter().map(|step| shown(step, style)).collect();
        let what = match (steps.len(), dry_run) {
            (0, _) => "nothing to change".to_owned(),
            (changed, true) => format!("{changed} would change"),
            (changed, false) => format!("{changed} changed"),
        };
        text.push_str(&format!("{} {count} checked, {what}\n", style.green("✓")));
        text
    })
}

fn steps(files: Vec<Checked>, plans: &[Value], prune: bool) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in files {
        if let Some(other) = names.insert(file.name.clone(), file.path.clone()) {
            let message = format!("{} and {} are both named \"{}\"", other.display(), file.path.display(), file.name);
            return Err(Failure::new(Exit::Conflict, "CONFLICT", message).next("give one of them another name"));
        }
        let mut same = plans.iter().filter(|plan| plan["name"] == file.name.as_str());
        match (same.next(), same.next()) {
            (None, _) => steps.push(Step::Create(file)),
            (Some(_), Some(_)) => {
                let message =
                    format!("several plans are called \"{}\", so nobody knows which of them {} is", file.name, file.path.display());
                return Err(Failure::new(Exit::Conflict, "CONFLICT", message).next("rename or delete all but one: mainspring plan list"));
            }
            (Some(plan), None) => {
                let now = document_of(plan);
                let is_draft = plan["version"] == 0;
                if now != file.document || is_draft {
                    let id = plan["id"].as_str().unwrap_or_default().to_owned();
                    let diff = Diff::between(&now, &file.document);
                    steps.push(Step::Update { id, file, diff });
                }
            }
        }
    }
    if prune && names.is_empty() {
        return Err(Failure::usage("no plan file was found, so --prune would delete every plan; name the folder that has them".to_owned()));
    }
    if prune {
        let surplus =
            plans.iter().filter(|plan| plan["file"].is_null() && !plan["name"].as_str().is_some_and(|name| names.contains_key(name)));
        steps.extend(surplus.map(|plan| Step::Delete {
            id: plan["id"].as_str().unwrap_or_default().to_owned(),
            name: plan["name"].as_str().unwrap_or_default().to_owned(),
        }));
    }
    Ok(steps)
}

async fn take(api: &Api, step: &Step, note: Option<&str>) -> Result<(), Failure> {
    let noted = |document: &Value| {
        let mut body = document.clone();
        if let (Some(note), Some(fields)) = (note, body.as_object_mut()) {
            fields.insert("note".to_owned(), note.into());
        }
        body
    };
    match step {
        Step::Create(file) => api.send(Method::POST, "/api/plans", &noted(&file.document)).await.map(drop),
        Step::Update { id, file, .. } => api.send(Method::PUT, &format!("/api/plans/{id}"), &noted(&file.document)).await.map(drop),
        Step::Delete { id, .. } => api.delete(&format!("/api/plans/{id}"), &[]).await.map(drop),
    }
}

fn told(step: &Step) -> Value {
    match step {
        Step::Create(file) => json!({ "kind": "create", "name": file.name, "file": file.path }),
        Step::Update { id, file, diff } => {
            json!({ "kind": "update", "name": file.name, "file": file.path, "id": id, "changes": diff.changes })
        }
        Step::Delete { id, name } => json!({ "kind": "delete", "name": name, "id": id }),
    }
}

fn shown(step: &Step, style: Style) -> String {
    match step {
        Step::Create(file) => format!("{}\n", style.green(&format!("+ {}  {}", plain(&file.name), file.path.display()))),
        Step::Delete { name, .. } => format!("{}\n", style.red(&format!("- {}", plain(name)))),
        Step::Update { file, diff, .. } => {
            let text = diff.text(if style.color { Colour::Ansi } else { Colour::Plain });
            let head = style.yellow(&format!("~ {}  {}", plain(&file.name), file.path.display()));
            format!("{head}\n{}", text.lines().map(|line| format!("    {line}\n")).collect::<String>())
        }
    }
}

/// Every file, checked by the server; the first that would not be taken ends it, with all of its problems.
async fn checked(api: &Api, paths: &[PathBuf]) -> Result<Vec<Checked>, Failure> {
    let mut files = Vec::new();
    for path in found(paths)? {
        let document = Stdin::default().read(&path.display().to_string(), "PATH")?;
        files.push(check(api, path, document).await?);
    }
    Ok(files)
}

async fn check(api: &Api, path: PathBuf, document: Document) -> Result<Checked, Failure> {
    let source = match plan::parse(&document.text, Format::Auto) {
        Ok(source) => source,
        Err(problems) => return Err(Failure::invalid(document, problems)),
    };
    let mut answer = api.send(Method::POST, "/api/plans/validate", &source.value).await?;
    if answer["valid"] != true {
        let found = answer["errors"].as_array().into_iter().flatten();
        let mut problems: Vec<_> = found.filter_map(|error| serde_json::from_value(error.clone()).ok()).collect();
        place(&mut problems, &source);
        return Err(Failure::invalid(document, problems));
    }
    let stored = answer["plan"].take();
    Ok(Checked { path, name: stored["name"].as_str().unwrap_or_default().to_owned(), document: stored })
}

/// The plan files among these paths and in these folders, in order.
fn found(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let unreadable = |error| Failure::new(Exit::Invalid, "INVALID_REQUEST", format!("{} cannot be read: {error}", path.display()));
        let listing = list(path).map_err(unreadable)?;
        if let Some((below, reason)) = listing.refused.first_key_value() {
            let message = format!("{}: {reason}", path.join(below).display());
            return Err(Failure::new(Exit::Invalid, "INVALID_REQUEST", message));
        }
        found.extend(listing.files.keys().map(|below| path.join(below)));
    }
    Ok(found)
}

pub(crate) async fn pull(cx: &Cx, api: &Api, wanted: &Pull) -> Result<Exit, Failure> {
    let io = |path: &Path, error: &std::io::Error| {
        Failure::new(Exit::Invalid, "INVALID_REQUEST", format!("{} cannot be written: {error}", path.display()))
    };
    fs::create_dir_all(&wanted.folder).map_err(|error| io(&wanted.folder, &error))?;
    let plans = api.list("/api/plans", "plans", &[], LOOK_THROUGH).await?;
    for name in &wanted.plans {
        if !plans.iter().any(|plan| plan["name"] == name.as_str()) {
            return Err(Failure::not_found(format_args!("plan \"{name}\"")).next("`mainspring plan list` shows which there are"));
        }
    }
    // What cannot be read is nobody's file of a plan, and is not written over.
    let mut here: BTreeMap<String, (PathBuf, Value)> = BTreeMap::new();
    for path in found(std::slice::from_ref(&wanted.folder))? {
        let document = Stdin::default().read(&path.display().to_string(), "FOLDER")?;
        if let Ok(file) = check(api, path, document).await {
            here.insert(file.name, (file.path, file.document));
        }
    }
    let (mut written, mut unchanged) = (Vec::new(), 0_usize);
    let chosen = plans.iter().filter(|plan| wanted.plans.is_empty() || wanted.plans.iter().any(|name| plan["name"] == name.as_str()));
    for plan in chosen {
        let (name, document) = (plan["name"].as_str().unwrap_or_default().to_owned(), document_of(plan));
        let path = match here.get(&name) {
            Some((_, known)) if *known == document => {
                unchanged += 1;
                continue;
            }
            Some((path, _)) => path.clone(),
            None => free(&wanted.folder, &name),
        };
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let text = if is_json { format!("{document:#}\n") } else { yaml(&document)? };
        // Beside and then in its place: a reader sees the old file or the new one.
        let beside = path.with_extension("part");
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, &path)).map_err(|error| io(&path, &error))?;
        here.insert(name.clone(), (path.clone(), document));
        written.push(json!({ "name": name, "file": path }));
    }
    let value = json!({ "written": written, "unchanged": unchanged });
    cx.show(&value, |style, _| {
        let line = |one: &Value| {
            let text = |field: &str| one[field].as_str().map(plain).unwrap_or_default().into_owned();
            format!("{} {}  {}\n", style.green("✓"), text("file"), style.dim(&text("name")))
        };
        let lines: String = written.iter().map(line).collect();
        format!("{lines}{} written, {unchanged} unchanged\n", written.len())
    })
}

/// A file name for a plan, that no file has.
fn free(folder: &Path, name: &str) -> PathBuf {
    let mut slug: String =
        name.chars().map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' }).collect();
    while slug.contains("--") {
        slug = slug.replace("--", "-");
    }
    let slug: String = slug.trim_matches('-').chars().take(80).collect();
    let slug = if slug.is_empty() { "plan".to_owned() } else { slug };
    let names = std::iter::once(format!("{slug}.yaml")).chain((2..).map(|number| format!("{slug}-{number}.yaml")));
    names.map(|name| folder.join(name)).find(|path| !path.exists()).unwrap_or_else(|| folder.join("plan.yaml"))
}

/// Whether an argument of `plan diff` is a file or folder, and no plan's name.
pub(crate) fn is_path(text: &str) -> bool {
    let path = Path::new(text);
    path.is_dir() || (path.is_file() && is_plan_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_file_names() {
        let folder = tempfile::tempdir().unwrap();
        let name = |name: &str| free(folder.path(), name).file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(name("Überweisung / Nacht! 2"), "berweisung-nacht-2.yaml");
        assert_eq!(name("../../etc/passwd"), "etc-passwd.yaml");
        assert_eq!(name("日本"), "plan.yaml");
        fs::write(folder.path().join("plan.yaml"), "").unwrap();
        assert_eq!(name("…"), "plan-2.yaml");
    }
}
