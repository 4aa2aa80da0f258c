//! Reference pages in Markdown: what each action and each trigger takes and gives, and the plans of a folder that show it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use mainspring_model::plan::{self, Format};
use serde_json::{Value, json};

use super::api::{Api, part};
use super::document::Stdin;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Cx, yaml};
use super::provider::type_of;
use crate::plan_files;

#[derive(Args, Debug)]
pub(crate) struct Pages {
    /// The folder to write into: README.md, triggers.md, and a page for each provider.
    folder: PathBuf,
    /// A folder with plan files: each action and trigger links to those that use it.
    #[arg(long, value_name = "FOLDER")]
    plans: Option<PathBuf>,
}

/// Which plan files use what: `http.get` or `trigger cron` → links.
type Shown = BTreeMap<String, BTreeSet<String>>;

pub(crate) async fn write(cx: &Cx, api: &Api, asked: &Pages) -> Result<Exit, Failure> {
    std::fs::create_dir_all(&asked.folder).map_err(|error| unwritable(&asked.folder, &error))?;
    let shown = match &asked.plans {
        Some(plans) => shown(plans, &asked.folder)?,
        None => Shown::new(),
    };
    let all = api.get("/api/providers", &[("detail", "true".to_owned())]).await?;
    let mut index =
        String::from("# Actions and triggers\n\nWhat steps can do and what starts runs. Written by `mainspring provider pages`.\n\n");
    index.push_str("| page | what it is for |\n|---|---|\n| [Triggers](triggers.md) | What starts a plan's runs. |\n");
    let mut written = vec!["README.md".to_owned(), "triggers.md".to_owned()];
    for provider in all["providers"].as_array().into_iter().flatten() {
        let name = provider["name"].as_str().unwrap_or_default();
        let provider = api.get(&format!("/api/providers/{}", part(name)), &[]).await?;
        let file = format!("{name}.md");
        let _ = writeln!(index, "| [`{name}`]({file}) | {} |", cell(&provider["description"]));
        put(&asked.folder.join(&file), &of_provider(name, &provider, &shown)?)?;
        written.push(file);
    }
    put(&asked.folder.join("triggers.md"), &of_triggers(&plan::plan_schema(), &shown))?;
    put(&asked.folder.join("README.md"), &index)?;
    let answer = json!({ "folder": asked.folder, "pages": written });
    cx.show(&answer, |_, _| format!("{} pages in {}\n", written.len(), asked.folder.display()))
}

fn of_provider(name: &str, provider: &Value, shown: &Shown) -> Result<String, Failure> {
    let mut page = format!("# {} (`{name}`)\n\n{}\n", text(&provider["title"]), text(&provider["description"]));
    let fields = provider["credential_fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !fields.is_empty() {
        page.push_str("\nIts credential:\n\n| field | required | what it is |\n|---|---|---|\n");
        for field in fields {
            let help = if field["help"].is_string() { &field["help"] } else { &field["title"] };
            let _ = writeln!(page, "| `{}` | {} | {} |", text(&field["name"]), yes(field["required"] == true), cell(help));
        }
    }
    for action in provider["actions"].as_array().into_iter().flatten() {
        let full = format!("{name}.{}", text(&action["name"]));
        let _ = write!(page, "\n## {full}\n\n{}\n\nEffect: {}.", text(&action["description"]), text(&action["effect"]));
        page.push_str(if action["needs_credential"] == true { " Needs a credential.\n" } else { "\n" });
        page.push_str(&fields_of(&action["params"], "param", "It takes no params."));
        if action["output"].is_object() {
            let _ = write!(page, "\nGives {}", type_of(&action["output"], &action["output"]["$defs"]));
            match action["output"]["description"].as_str() {
                Some(said) => _ = writeln!(page, ": {}", cell(&json!(said))),
                None => page.push_str(".\n"),
            }
            if action["output"]["properties"].is_object() {
                page.push_str(&fields_of(&action["output"], "field", ""));
            }
        }
        let example = yaml(&json!([{ "action": full, "params": action["example"] }]))?;
        let _ = write!(page, "\n```yaml\n{}\n```\n", example.trim_end());
        page.push_str(&examples(shown, &full));
    }
    Ok(page)
}

fn of_triggers(schema: &Value, shown: &Shown) -> String {
    let defs = &schema["$defs"];
    let of_all = &defs["TriggerDoc"];
    let mut page = String::from("# Triggers\n\nWhat starts a plan's runs. Every trigger may have:\n");
    page.push_str(&rows_of(of_all, defs, "field", ""));
    for kind in of_all["oneOf"].as_array().into_iter().flatten() {
        let name = text(&kind["properties"]["type"]["const"]);
        let _ = writeln!(page, "\n## {name}\n\n{}", text(&kind["description"]));
        page.push_str(&rows_of(kind, defs, "field", "It takes no more."));
        page.push_str(&examples(shown, &format!("trigger {name}")));
    }
    page
}

fn fields_of(schema: &Value, what: &str, none: &str) -> String {
    rows_of(schema, &schema["$defs"], what, none)
}

/// A table of an object's fields.
fn rows_of(schema: &Value, defs: &Value, what: &str, none: &str) -> String {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut rows = String::new();
    for (name, field) in schema["properties"].as_object().into_iter().flatten().filter(|(_, field)| field["const"].is_null()) {
        let default = match &field["default"] {
            Value::Null => String::new(),
            default => format!("`{}`", cell(&json!(default.to_string()))),
        };
        // What a field says of itself, else what its kind of value says.
        let kind = field["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")).map(|kind| &defs[kind]["description"]);
        let said = if field["description"].is_string() { &field["description"] } else { kind.unwrap_or(&Value::Null) };
        let kind = cell(&json!(type_of(field, defs)));
        let _ = writeln!(rows, "| `{name}` | {kind} | {} | {default} | {} |", yes(required.contains(&name.as_str())), cell(said));
    }
    if rows.is_empty() {
        return if none.is_empty() { String::new() } else { format!("\n{none}\n") };
    }
    format!("\n| {what} | type | required | default | what it is |\n|---|---|---|---|---|\n{rows}")
}

fn examples(shown: &Shown, what: &str) -> String {
    let Some(links) = shown.get(what) else { return String::new() };
    format!("\nPlans that use it: {}.\n", links.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// What the plan files below `plans` use, as links from a page in `from`.
fn shown(plans: &Path, from: &Path) -> Result<Shown, Failure> {
    let missing = |path: &Path| Failure::not_found(path.display().to_string()).next("name the folder that holds the plan files");
    let root = plans.canonicalize().map_err(|_| missing(plans))?;
    let from = from.canonicalize().map_err(|_| missing(from))?;
    let common = root.components().zip(from.components()).take_while(|(one, other)| one == other).count();
    let up = from.components().skip(common).map(|_| "..");
    let down: PathBuf = up.map(PathBuf::from).chain([root.components().skip(common).collect()]).collect();
    let mut found = Shown::new();
    for name in plan_files::list(&root).map_err(|_| missing(plans))?.files.into_keys() {
        let document = Stdin::default().read(&root.join(&name).to_string_lossy(), "--plans")?;
        // What is no document is for `validate` to say.
        let Ok(source) = plan::parse(&document.text, Format::Auto) else { continue };
        let mut used = BTreeSet::new();
        uses(&source.value, &mut used);
        let link = format!("[{name}]({})", down.join(&name).display());
        for one in used {
            found.entry(one).or_default().insert(link.clone());
        }
    }
    Ok(found)
}

/// Every action and trigger that is named anywhere in a document.
fn uses(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|inner| uses(inner, into)),
        Value::Object(fields) => {
            if let Some(action) = fields.get("action").and_then(Value::as_str) {
                let provider = fields.get("provider").and_then(Value::as_str).map(|provider| format!("{provider}."));
                // `slack@2.post` pins a version.
                let full = format!("{}{action}", provider.unwrap_or_default());
                let (provider, name) = full.split_once('.').unwrap_or((&full, ""));
                into.insert(format!("{}.{name}", provider.split('@').next().unwrap_or_default()));
            }
            let triggers = fields.get("triggers").and_then(Value::as_array).into_iter().flatten().chain(fields.get("trigger"));
            into.extend(triggers.filter_map(|trigger| Some(format!("trigger {}", trigger["type"].as_str()?))));
            fields.values().for_each(|inner| uses(inner, into));
        }
        _ => {}
    }
}

fn put(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Invalid, "INVALID_REQUEST", format!("{} cannot be written: {error}", path.display()))
        .next("name a folder that you may write")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// In one row of a table.
fn cell(value: &Value) -> String {
    text(value).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn yes(required: bool) -> &'static str {
    if required { "yes" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_document_names_is_found() {
        let document = json!({
            "triggers": [{"type": "poll", "action": "http.get"}],
            "steps": [{"provider": "slack", "action": "post"}, {"for_each": "x", "steps": [{"action": "a@2.b", "undo": {"action": "a.c"}}]}]});
        let mut used = BTreeSet::new();
        uses(&document, &mut used);
        assert_eq!(used.into_iter().collect::<Vec<_>>(), ["a.b", "a.c", "http.get", "slack.post", "trigger poll"]);
    }
}
